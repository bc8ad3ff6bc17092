/** The token: from the address once, or from the person. */

import { Refused, server, signIn } from "./api.js";
import { byId } from "./dom.js";

/** Use the token in the address, and take it out of there. */
export async function useAddress() {
  const [, token] = /^#token=(.+)$/.exec(location.hash) ?? [];
  if (!token) return;
  history.replaceState(history.state, "", location.pathname + location.search);
  await signIn(decoded(token)).catch(() => null); // the form will ask for another
}

/** @param {string} token as somebody may have typed it, too */
function decoded(token) {
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}

/**
 * Show the form whenever the server wants a token.
 * @param {() => void} signedIn
 */
export function askForToken(signedIn) {
  const dialog = byId("sign-in");
  const field = byId("token");
  const wrong = dialog.querySelector(".wrong");
  server.addEventListener("stranger", () => {
    if (!dialog.open) dialog.showModal();
  });
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // nothing works without
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await signIn(field.value.trim());
    } catch (error) {
      wrong.textContent = error instanceof Refused && error.status === 401 ? "That is not the token." : String(error.message);
      field.select();
      return;
    }
    field.value = wrong.textContent = "";
    dialog.close();
    signedIn();
  });
}
