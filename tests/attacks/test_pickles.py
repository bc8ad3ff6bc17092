"""Pickles that want to run code, to take memory or time, or that break the rules."""

from __future__ import annotations

import math
import struct

import pytest

MB = 1 << 20


# Code


def calls_system(kit) -> bytes:
    return kit.archive(kit.pickle(kit.call("os", "system", kit.text("touch canary"))))


def calls_system_of_posix(kit) -> bytes:
    return kit.archive(kit.pickle(kit.call("posix", "system", kit.text("touch canary"))))


def evaluates(kit) -> bytes:
    return kit.archive(kit.pickle(kit.call("builtins", "eval", kit.text("open('canary', 'w')"))))


def evaluates_by_python_2_s_name(kit) -> bytes:
    return kit.archive(kit.pickle(kit.call("__builtin__", "exec", kit.text("import os"))))


def starts_a_process(kit) -> bytes:
    return kit.archive(kit.pickle(kit.call("subprocess", "Popen", kit.text("true"))))


def opens_a_library(kit) -> bytes:
    return kit.archive(kit.pickle(kit.call("ctypes", "CDLL", kit.text("evil.so"))))


def calls_system_for_a_weight(kit) -> bytes:
    return kit.replaced(**{"visual.proj": kit.call("os", "system", kit.text("touch canary"))})


def calls_getattr_for_a_weight(kit) -> bytes:
    inner = kit.call("builtins", "getattr", kit.name("os", "path"), kit.text("os"))
    return kit.replaced(**{"visual.proj": inner})


def calls_torch_load_for_a_weight(kit) -> bytes:
    return kit.replaced(**{"visual.proj": kit.call("torch.serialization", "load", kit.text("x"))})


def hub_load_for_a_weight(kit) -> bytes:
    return kit.replaced(**{"visual.proj": kit.call("torch.hub", "load", kit.text("a/b"))})


def name_from_the_stack(kit) -> bytes:
    call = kit.text("os") + kit.text("system") + b"\x93" + kit.tuple(kit.text("true")) + b"R"
    return kit.archive(b"\x80\x04" + call + b".")


def dotted_name(kit) -> bytes:
    return kit.replaced(**{"visual.proj": kit.call("torch", "os.system", kit.text("true"))})


def tensor_recipe_under_another_module(kit) -> bytes:
    good = kit.entries()["visual.proj"]
    return kit.replaced(**{"visual.proj": good.replace(b"torch._utils\n", b"torch._util5\n")})


def new_object_of_a_class(kit) -> bytes:
    new = kit.name("subprocess", "Popen") + kit.tuple(kit.text("true")) + b"\x81"
    return kit.replaced(**{"visual.proj": new})


def new_object_with_keywords(kit) -> bytes:
    new = kit.name("subprocess", "Popen") + b")" + kit.dict({"args": kit.text("true")}) + b"\x92"
    return kit.replaced(**{"visual.proj": new})


def state_for_a_module(kit) -> bytes:
    """BUILD on a global would write into os itself."""
    return kit.archive(kit.pickle(kit.name("os", "environ") + kit.dict({"A": b"N"}) + b"b"))


def state_for_a_tensor(kit) -> bytes:
    """A tensor keeps no state: the file loads, and the state goes nowhere."""
    good = kit.entries()["visual.proj"]
    return kit.replaced(**{"visual.proj": good + kit.dict({"__class__": b"N"}) + b"b"})


def persistent_id_of_code(kit) -> bytes:
    reference = kit.call("os", "system", kit.text("true")) + b"Q"
    weight = kit.call(
        "torch._utils", "_rebuild_tensor_v2", reference, b"K\0", b")", b")", b"N", b"}"
    )
    return kit.replaced(**{"visual.proj": weight})


def hooks_with_code(kit) -> bytes:
    """The hooks of a tensor are never looked at."""
    name, value = "visual.proj", kit.weights["visual.proj"]
    hooks = kit.call("os", "system", kit.text("true"))
    weight = kit.tensor(
        name, value.numel(), tuple(value.shape), value.stride(), more=(b"\x89", hooks)
    )
    return kit.replaced(**{name: weight})


def legacy_module_with_source(kit) -> bytes:
    """The legacy format keeps the source of classes: a reference that is never compiled."""
    source = kit.tuple(
        kit.text("module"), kit.name("os", "system"), kit.text("x.py"), kit.text("1/0")
    )
    good = kit.good["legacy"]
    start = good.index(b"\x80\x02ccollections\nOrderedDict")
    return good[: start + 2] + source + b"Q0" + good[start + 2 :]


CODE = [
    (calls_system, "a call of os.system, which is code and never run"),
    (calls_system_of_posix, "a call of posix.system, which is code and never run"),
    (evaluates, "builtins.eval"),
    (evaluates_by_python_2_s_name, "__builtin__.exec"),
    (starts_a_process, "subprocess.Popen"),
    (opens_a_library, "ctypes.CDLL"),
    (calls_system_for_a_weight, "visual.proj.*os.system"),
    (calls_getattr_for_a_weight, "visual.proj.*builtins.getattr"),
    (calls_torch_load_for_a_weight, "visual.proj.*torch.serialization.load"),
    (hub_load_for_a_weight, "visual.proj.*torch.hub.load"),
    (name_from_the_stack, "os.system"),
    (dotted_name, "visual.proj.*torch.os.system"),
    (tensor_recipe_under_another_module, "visual.proj.*torch._util5._rebuild_tensor_v2"),
    (new_object_of_a_class, "visual.proj.*subprocess.Popen"),
    (new_object_with_keywords, "visual.proj.*subprocess.Popen"),
    (state_for_a_module, "makes no sense"),
    (persistent_id_of_code, "no storage"),
]

# Memory and time


def many_dicts(kit) -> bytes:
    return kit.archive(kit.pickle(b"]" + b"}0" * (10 * MB) + b"a"), {})


def many_kept_dicts(kit) -> bytes:
    return kit.archive(kit.pickle(b"](" + b"}" * (20 * MB) + b"e"), {})


def many_lists(kit) -> bytes:
    return kit.archive(kit.pickle(b"](" + b"]" * (20 * MB) + b"e"), {})


def many_nones(kit) -> bytes:
    return kit.archive(kit.pickle(b"(" + b"N" * (20 * MB) + b"t"), {})


def many_marks(kit) -> bytes:
    return kit.archive(kit.pickle(b"(" * (10 * MB)), {})


def many_memos(kit) -> bytes:
    return kit.archive(kit.pickle(b"N" + b"\x94" * (20 * MB)), {})


def many_short_texts(kit) -> bytes:
    return kit.archive(kit.pickle(b"](" + b"\x8c\x01a" * (7 * MB) + b"e"), {})


def many_globals(kit) -> bytes:
    return kit.archive(kit.pickle(b"](" + b"ca\nb\n" * (4 * MB) + b"e"), {})


def many_wide_texts(kit) -> bytes:
    """One character outside of the basic plane makes Python take 4 bytes for each of the others."""
    letters = "a" * 60_000 + "\N{GRINNING FACE}"
    return kit.archive(kit.pickle(b"](" + kit.text(letters) * 300 + b"e"), {})


def one_long_text(kit) -> bytes:
    return kit.archive(kit.pickle(kit.text("a" * (40 * MB))), {})


def text_that_claims_to_be_long(kit) -> bytes:
    return kit.archive(kit.pickle(b"X\xff\xff\xff\xff" + b"a"), {})


def bytes_that_claim_to_be_very_long(kit) -> bytes:
    return kit.archive(kit.pickle(b"\x8e" + b"\xff" * 8), {})


def number_that_claims_to_be_long(kit) -> bytes:
    return kit.archive(kit.pickle(b"\x8b\xff\xff\xff\x7f"), {})


def negative_length(kit) -> bytes:
    return kit.archive(kit.pickle(b"\x8b\xff\xff\xff\xff"), {})


def huge_number(kit) -> bytes:
    """Millions of digits: making it, printing it and comparing it would all take long."""
    digits = b"\x7f" * (8 * MB)
    return kit.archive(kit.pickle(b"\x8b" + struct.pack("<i", len(digits)) + digits), {})


def keys_with_one_hash(kit) -> bytes:
    """The hash of n is n modulo 2**61 - 1: a dict with such keys takes quadratic time."""
    pairs = b"".join(kit.number(n * (2**61 - 1)) + b"N" for n in range(300_000))
    return kit.archive(kit.pickle(b"}(" + pairs + b"u"), {})


def keys_with_one_hash_in_tuples(kit) -> bytes:
    pairs = b"".join(kit.number(n * (2**61 - 1)) + b"\x85N" for n in range(100_000))
    return kit.archive(kit.pickle(b"}(" + pairs + b"u"), {})


def deep_lists(kit) -> bytes:
    return kit.archive(kit.pickle(b"]" * 100_000 + b"a" * 99_999), {})


def deep_tuples(kit) -> bytes:
    return kit.archive(kit.pickle(b")" + b"\x85" * 100_000), {})


def deep_dicts(kit) -> bytes:
    return kit.archive(kit.pickle(b"}" + b"K\0}" * 50_000 + b"s" * 50_000), {})


def deep_calls(kit) -> bytes:
    call = kit.name("torch._utils", "_rebuild_parameter")
    return kit.replaced(**{"visual.proj": call * 5_000 + b"N" + b"\x85R" * 5_000})


def deep_modules(kit) -> bytes:
    module = kit.name("__torch__", "M") + b")\x81}" + kit.text("m")
    return kit.archive(kit.pickle(module * 5_000 + b"N" + b"sb" * 5_000))


def list_in_itself(kit) -> bytes:
    return kit.archive(kit.pickle(b"]q\0h\0a"), {})


def dict_in_itself(kit) -> bytes:
    return kit.archive(kit.pickle(b"}q\0" + kit.text("model") + b"h\0s"), {})


def module_in_itself(kit) -> bytes:
    module = kit.name("__torch__", "M") + b")\x81q\0}" + kit.text("m") + b"h\0sb"
    return kit.archive(kit.pickle(module), {})


def _doubled(levels: int, inner: bytes, value: bytes) -> bytes:
    """Each level holds the one below twice, so that 2**levels paths lead to the innermost."""
    body = inner + b"q\0" + b"0"
    for level in range(levels):
        body += value.replace(b"?", b"h" + bytes([level])) + b"q" + bytes([level + 1]) + b"0"
    return body + b"h" + bytes([levels])


def billion_laughs_of_lists(kit) -> bytes:
    return kit.archive(kit.pickle(_doubled(100, b"]", b"](??e")), {})


def billion_laughs_of_dicts(kit) -> bytes:
    return kit.archive(kit.pickle(_doubled(28, b"}", b"}(K\0?K\1?u")), {})


def billion_laughs_of_tuples_for_a_weight(kit) -> bytes:
    return kit.replaced(**{"visual.proj": _doubled(28, b")", b"??\x86")})


def billion_laughs_of_dicts_for_a_weight(kit) -> bytes:
    return kit.replaced(**{"visual.proj": _doubled(28, b"}", b"}(K\0?K\1?u")})


def billion_laughs_of_tuples_for_a_storage_s_type(kit) -> bytes:
    bomb = _doubled(100, b")", b"??\x86")
    reference = kit.tuple(kit.text("storage"), bomb, kit.text("0"), b"N", b"K\1") + b"Q"
    weight = kit.call(
        "torch._utils", "_rebuild_tensor_v2", reference, b"K\0", b")", b")", b"N", b"}"
    )
    return kit.replaced(**{"visual.proj": weight})


def billion_laughs_of_modules(kit) -> bytes:
    module = kit.name("__torch__", "M") + b")\x81}(Ua?Ub?ub".replace(b"U", b"U\1")
    return kit.archive(kit.pickle(_doubled(30, b"N", module)), {})


def wide_module_in_many_places(kit) -> bytes:
    """100,000 names of one module that has 100,000 entries."""
    parts = b"".join(kit.text(str(n)) + b"N" for n in range(100_000))
    groups = b"".join(kit.text(f"_{g}") + b"}" for g in ("parameters", "buffers", "modules"))
    module = kit.name("a", "M") + b")\x81}(" + parts + groups + b"ubq\0"
    names = b"".join(kit.text(str(n)) + b"h\0" for n in range(100_000))
    outer = kit.name("__torch__", "M") + b")\x81}(" + names + b"ub"
    return kit.archive(kit.pickle(module + b"0" + outer), {})


def wide_set_in_many_places(kit) -> bytes:
    """50,000 names of one module, of which 50,000 buffers are not to be saved."""
    hidden = b"](" + b"".join(kit.text(str(n)) for n in range(50_000)) + b"e"
    groups = b"".join(kit.text(f"_{g}") + b"}" for g in ("parameters", "buffers", "modules"))
    state = groups + kit.text("_non_persistent_buffers_set") + hidden
    names = b"".join(kit.text(str(n)) + b"h\0" for n in range(50_000))
    module = kit.name("a", "M") + b")\x81}(" + state + b"ubq\0"
    outer = kit.name("__torch__", "M") + b")\x81}(" + names + b"ub"
    return kit.archive(kit.pickle(module + b"0" + outer), {})


def names_that_regular_expressions_dislike(kit) -> bytes:
    scalar = kit.tensor("logit_scale", 1, (), ()) + b"q\0"
    names = [f"{n:05}" + "visual.conv1.weight." * 24 for n in range(12_000)]
    entries = b"".join(kit.text(name) + b"h\0" for name in names)
    return kit.archive(kit.pickle(b"}" + kit.text("x") + scalar + b"s(" + entries + b"u"))


def as_many_names_as_the_budget_has(kit) -> bytes:
    """What looks for the model's names in them takes memory, too."""
    scalar = kit.tensor("logit_scale", 1, (), ()) + b"q\0"
    entries = b"".join(b"\x8c\x05" + f"{n:05x}".encode() + b"h\0" for n in range(110_000))
    return kit.archive(kit.pickle(b"}" + kit.text("x") + scalar + b"s(" + entries + b"u"))


def as_many_dicts_as_the_budget_has(kit) -> bytes:
    scalar = kit.tensor("logit_scale", 1, (), ()) + b"q\0"
    dicts = b"}\x8c\x01xh\0s" * 36_000
    return kit.archive(kit.pickle(b"](" + scalar + dicts + b"e"))


def long_names_of_tensors(kit) -> bytes:
    scalar = kit.tensor("logit_scale", 1, (), ())
    names = {f"{n:05}" + "x" * 50_000: scalar for n in range(100)}
    return kit.archive(kit.pickle(kit.dict(names)))


BOMBS = [
    (many_dicts, "more objects"),
    (many_kept_dicts, "more objects"),
    (many_lists, "more objects"),
    (many_nones, "more objects"),
    (many_marks, "nests too deeply"),
    (many_memos, "more objects"),
    (many_short_texts, "more objects"),
    (many_globals, "more objects"),
    (many_wide_texts, "more objects"),
    (one_long_text, "no state dict"),
    (text_that_claims_to_be_long, "ends early"),
    (bytes_that_claim_to_be_very_long, "ends early"),
    (number_that_claims_to_be_long, "ends early"),
    (negative_length, "makes no sense"),
    (huge_number, "no state dict"),
    (keys_with_one_hash, "no CLIP model|more objects"),
    (keys_with_one_hash_in_tuples, "no CLIP model|more objects"),
    (deep_lists, "nested too deeply"),
    (deep_tuples, "nested too deeply"),
    (deep_dicts, "nested too deeply"),
    (deep_calls, "put together wrongly"),
    (deep_modules, "nested too deeply"),
    (list_in_itself, "no CLIP model"),
    (dict_in_itself, "no CLIP model"),
    (module_in_itself, "holds itself"),
    (billion_laughs_of_lists, "nested too deeply"),
    (billion_laughs_of_dicts, "no CLIP model"),
    (billion_laughs_of_tuples_for_a_weight, "visual.proj"),
    (billion_laughs_of_dicts_for_a_weight, "visual.proj"),
    (billion_laughs_of_tuples_for_a_storage_s_type, "unknown kind"),
    (billion_laughs_of_modules, "more objects"),
    (wide_module_in_many_places, "more objects"),
    (wide_set_in_many_places, "more objects"),
    (names_that_regular_expressions_dislike, "no CLIP model|only the picture tower"),
    (as_many_names_as_the_budget_has, "no CLIP model"),
    (as_many_dicts_as_the_budget_has, "no CLIP model"),
    (long_names_of_tensors, "no CLIP model"),
]

# Broken rules


def no_stop(kit) -> bytes:
    return kit.archive(kit.pickle(kit.dict(kit.entries()))[:-1])


def empty_pickle(kit) -> bytes:
    return kit.archive(b"")


def stop_without_a_value(kit) -> bytes:
    return kit.archive(b"\x80\x02.")


def pop_from_nothing(kit) -> bytes:
    return kit.archive(b"\x80\x020.")


def tuple_without_a_mark(kit) -> bytes:
    return kit.archive(b"\x80\x02Nt.")


def recall_of_nothing(kit) -> bytes:
    return kit.archive(b"\x80\x02h\x07.")


def items_for_a_number(kit) -> bytes:
    return kit.archive(b"\x80\x02K\1(NNu.")


def odd_number_of_items(kit) -> bytes:
    return kit.archive(b"\x80\x02}(NNNu.")


def append_to_a_dict(kit) -> bytes:
    return kit.archive(b"\x80\x02}Na.")


def unknown_instruction(kit) -> bytes:
    return kit.archive(b"\x80\x02\xff.")


def duplicate_instruction(kit) -> bytes:
    return kit.archive(b"\x80\x02]" + b"2(t" * 40 + b".")


def extension_instruction(kit) -> bytes:
    return kit.archive(b"\x80\x02\x82\x01.")


def instance_instruction(kit) -> bytes:
    return kit.archive(b"\x80\x02(ios\nsystem\n.")


def out_of_band_buffer(kit) -> bytes:
    return kit.archive(b"\x80\x05\x97.")


def protocol_of_the_future(kit) -> bytes:
    return kit.archive(b"\x80\x09N.")


def text_that_is_not_utf_8(kit) -> bytes:
    return kit.archive(b"\x80\x02X\x02\0\0\0\xff\xfe.")


def commands_for_a_terminal(kit) -> bytes:
    return kit.archive(kit.pickle(kit.dict(kit.entries() | {"visual.\x1b[2J": b"]"})))


def name_without_an_end(kit) -> bytes:
    return kit.archive(b"\x80\x02c" + b"a" * 5000 + b".")


def name_of_numbers(kit) -> bytes:
    return kit.archive(b"\x80\x04K\1K\2\x93.")


def state_dict_is_a_number(kit) -> bytes:
    return kit.archive(kit.pickle(b"K\1"))


def state_dict_is_nothing(kit) -> bytes:
    return kit.archive(kit.pickle(b"N"))


def state_dict_is_empty(kit) -> bytes:
    return kit.archive(kit.pickle(b"}"))


def state_dict_is_one_tensor(kit) -> bytes:
    return kit.archive(kit.pickle(kit.entries()["visual.proj"]))


def weight_is_a_number(kit) -> bytes:
    return kit.replaced(**{"visual.proj": b"K\1"})


def weight_is_a_float_that_is_not_a_number(kit) -> bytes:
    return kit.replaced(**{"visual.proj": b"G" + struct.pack(">d", math.nan)})


def another_pickle(kit) -> bytes:
    return kit.pickle(kit.dict(kit.entries()))


BROKEN = [
    (no_stop, "ends early"),
    (empty_pickle, "ends early"),
    (stop_without_a_value, "makes no sense"),
    (pop_from_nothing, "makes no sense"),
    (tuple_without_a_mark, "makes no sense"),
    (recall_of_nothing, "makes no sense"),
    (items_for_a_number, "makes no sense"),
    (odd_number_of_items, "makes no sense"),
    (append_to_a_dict, "makes no sense"),
    (unknown_instruction, "instruction 0xff"),
    (duplicate_instruction, "instruction 0x32"),
    (extension_instruction, "instruction 0x82"),
    (instance_instruction, "instruction 0x69"),
    (out_of_band_buffer, "instruction 0x97"),
    (protocol_of_the_future, "protocol 9"),
    (text_that_is_not_utf_8, "no state dict"),
    (commands_for_a_terminal, r"makes? no sense|\\x1b\[2J"),
    (name_without_an_end, "does not end"),
    (name_of_numbers, "makes no sense"),
    (state_dict_is_a_number, "no state dict"),
    (state_dict_is_nothing, "no state dict"),
    (state_dict_is_empty, "no CLIP model"),
    (state_dict_is_one_tensor, "it holds one tensor"),
    (weight_is_a_number, "visual.proj"),
    (weight_is_a_float_that_is_not_a_number, "visual.proj"),
    (another_pickle, "not written by torch.save"),
]

HARMLESS = [state_for_a_tensor, hooks_with_code, legacy_module_with_source]


@pytest.mark.parametrize(
    ("attack", "message"), CODE + BOMBS + BROKEN, ids=lambda value: getattr(value, "__name__", "")
)
def test_refused(guard, kit, attack, message: str) -> None:
    verdict = guard.load(attack(kit))
    assert verdict.outcome == "refused"
    assert verdict.seconds < 30
    guard.assert_says(verdict, message)


@pytest.mark.parametrize("attack", HARMLESS, ids=lambda value: value.__name__)
def test_loads_and_runs_nothing(guard, kit, attack) -> None:
    verdict = guard.load(attack(kit))
    assert verdict.digest == kit.digest, verdict.message
