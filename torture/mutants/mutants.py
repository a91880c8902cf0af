"""The mutants of `make mutants`: what SPEC 12 orders, taken away one thing at a time.

Each names the test that must fail with it. A find text must occur once in its file. `NEEDLESS` are orderings
that SPEC 12 keeps although no model fails without them, each with the reason; with these every model named
must still pass, or the reason is wrong.
"""

from dataclasses import dataclass

MODELS = "writer/src/models"
POOL, CLAIM, SPANS, BLOCKS = (f"writer/src/{name}.rs" for name in ("pool", "claim", "spans", "blocks"))
CELLS, METRICS, DICTIONARY = (f"writer/src/{name}.rs" for name in ("cells", "metrics", "dictionary"))
RECORDER, SYNC, ADVANCE = "writer/src/recorder.rs", "writer/src/sync.rs", "reader/src/advance.rs"
OBSERVER = f"{MODELS}/observer.rs"


@dataclass(frozen=True)
class Mutant:
    """One change to one file, and the test of `models::` that it must fail (or pass, if needless)."""

    label: str
    """Label of SPEC 12, or what else is broken."""
    what: str
    test: str
    file: str
    edits: tuple[tuple[str, str], ...]
    """Texts to find, once each, and what takes their place."""
    reason: str = ""
    """Why it is needless."""


def mutant(label: str, what: str, test: str, file: str, *edits: tuple[str, str], reason: str = "") -> Mutant:
    return Mutant(label, what, test, file, edits, reason)


def relaxed(text: str, ordering: str = "Release") -> tuple[str, str]:
    """Weakens the one ordering in a text."""
    assert text.count(f"Ordering::{ordering}") == 1, text
    return text, text.replace(f"Ordering::{ordering}", "Ordering::Relaxed")


def without(text: str) -> tuple[str, str]:
    return text, ""


FENCE = "fence(Ordering::Release);"

PUB = [
    mutant(
        "PUB", "committed stored Relaxed", "publish::append_against_observer", POOL,
        relaxed(
            ".word(self.geometry.entry(segment, offset_of!(SegmentEntry, committed)))\n"
            "            .store(committed.pack(), Ordering::Release);"
        ),
    ),
    mutant(
        "PUB", "committed stored before the record", "publish::append_against_observer", POOL,
        without("        mapping.store_bytes(self.geometry.segment(segment) + lane.bytes as usize, bytes);\n"),
        (
            "        Ok(())\n    }\n\n    #[inline]\n    fn fill_header",
            "        mapping.store_bytes(self.geometry.segment(segment) + (lane.bytes - length) as usize, bytes);\n"
            "        Ok(())\n    }\n\n    #[inline]\n    fn fill_header",
        ),
    ),
    mutant(
        "PUB", "observer loads committed Relaxed", "publish::append_against_observer", OBSERVER,
        relaxed("let committed = segments.committed(Ordering::Acquire);", "Acquire"),
    ),
]

RECYCLE = [
    mutant(
        "RECYCLE", "no fence before payload", "recycle::claim_against_observer", POOL, without(FENCE),
    ),
    mutant(
        "RECYCLE", "fence in the thread that claims alone", "recycle::another_thread_stores_the_payload", POOL,
        without(FENCE),
        (
            "        if lane.segment.is_none() || length > room {\n"
            "            self.claims.claim(&self.storage, &self.geometry, lane, patient)?;\n",
            "        if lane.segment.is_none() || length > room {\n"
            "            self.claims.claim(&self.storage, &self.geometry, lane, patient)?;\n"
            "            fence(Ordering::Release);\n",
        ),
    ),
    mutant(
        "RECYCLE", "the claim does not store committed", "recycle::claim_against_observer", CLAIM,
        without("    Pool::begin_generation(mapping, geometry, old.segment, generation);\n"),
    ),
    mutant(
        "RECYCLE", "observer does not check the generation", "recycle::claim_against_observer", OBSERVER,
        ("if segments.committed(Ordering::Relaxed).generation != generation {", "if false {"),
    ),
    mutant(
        "RECYCLE", "observer without fence behind the payload", "recycle::claim_against_observer", OBSERVER,
        ("            .collect();\n        fence(Ordering::Acquire);\n", "            .collect();\n"),
    ),
]

CLOSE_WORD = "word(offset_of!(SegmentEntry, acknowledged)).fetch_xor(Acknowledged::CLOSE_MASK, Ordering::AcqRel)"
ONCE = "acknowledge::each_record_counts_once"
CLOSED_AND_OPEN = "acknowledge::closed_before_the_generation_ends_and_open_after_the_next_begins"
BEGIN = "    Pool::begin_generation(mapping, geometry, old.segment, generation);\n"
REOPEN = "    word(offset_of!(SegmentEntry, acknowledged)).store(open.pack(), Ordering::Release);\n"
COMPARE = "match word.compare_exchange_weak(found, new, Ordering::AcqRel, Ordering::Acquire) {"

ACK = [
    mutant(
        "ACK", "acknowledgements not closed", ONCE, CLAIM,
        (CLOSE_WORD, "word(offset_of!(SegmentEntry, acknowledged)).load(Ordering::Acquire)"),
    ),
    mutant(
        "ACK", "closed after the count was taken", ONCE, CLAIM,
        (CLOSE_WORD, "word(offset_of!(SegmentEntry, acknowledged)).load(Ordering::Acquire)"),
        (
            BEGIN,
            "    word(offset_of!(SegmentEntry, acknowledged)).fetch_xor(Acknowledged::CLOSE_MASK, Ordering::AcqRel);\n"
            + BEGIN,
        ),
    ),
    mutant(
        "ACK", "closed after the generation ended", CLOSED_AND_OPEN, CLAIM,
        (CLOSE_WORD, "word(offset_of!(SegmentEntry, acknowledged)).load(Ordering::Acquire)"),
        (
            BEGIN,
            BEGIN
            + "    word(offset_of!(SegmentEntry, acknowledged)).fetch_xor(Acknowledged::CLOSE_MASK, Ordering::AcqRel);\n",
        ),
    ),
    mutant("ACK", "reopened before the generation", CLOSED_AND_OPEN, CLAIM, without(BEGIN), (REOPEN, REOPEN + BEGIN)),
    mutant("ACK", "reopened Relaxed", CLOSED_AND_OPEN, CLAIM, relaxed(REOPEN)),
    mutant("ACK", "not reopened", ONCE, CLAIM, without(REOPEN)),
    mutant(
        "ACK", "exporter does not check the generation", ONCE, ADVANCE,
        ("if present.generation != generation || (", "if ("),
    ),
    mutant(
        "ACK", "exporter does not look whether it is closed", ONCE, ADVANCE,
        (" || (present.closed && !writer_is_gone())", ""),
    ),
    mutant(
        "ACK", "exporter stores in place of compare-exchange", ONCE, ADVANCE,
        (COMPARE, "word.store(new, Ordering::Release);\n        match Ok::<u64, u64>(found) {"),
    ),
    mutant(
        "ACK", "policy does not look at the count", "acknowledge::what_was_not_delivered_is_not_overwritten", CLAIM,
        (" && it.records >= sealed.records", ""),
    ),
]

BASES = "base::bases_are_those_of_the_generation"

BASE = [
    mutant(
        "BASE", "committed of a claim stored Relaxed", BASES, POOL,
        relaxed(
            ".word(geometry.entry(segment, offset_of!(SegmentEntry, committed)))\n"
            "            .store(committed.pack(), Ordering::Release);"
        ),
    ),
    mutant(
        "BASE", "base words stored Relaxed", "base::another_thread_claims_next", CLAIM,
        relaxed("word(field + parity(generation)).store(seal(before + u64::from(added)), Ordering::Release);"),
    ),
    mutant(
        "BASE", "base words stored after the generation", BASES, CLAIM,
        without(BEGIN),
        ("    for (field, added) in [\n", BEGIN + "    for (field, added) in [\n"),
    ),
    mutant(
        "BASE", "one pair of base words", BASES, CLAIM,
        ("let parity = |generation: u32| (generation & 1) as usize * 8;", "let parity = |_: u32| 0;"),
    ),
    mutant(
        "BASE", "observer does not check the generation", BASES, f"{MODELS}/base.rs",
        ("if segments.committed(Ordering::Relaxed).generation != generation {", "if false {"),
    ),
    mutant(
        "BASE", "observer loads base words Relaxed", BASES, OBSERVER,
        relaxed("(generation & 1) as usize * 8).load(Ordering::Acquire);", "Acquire"),
    ),
    mutant(
        "BASE", "observer loads committed Relaxed", BASES, f"{MODELS}/base.rs",
        relaxed("segments.committed(Ordering::Acquire)", "Acquire"),
    ),
]

ENTRIES = "dictionary::entries_against_observer"
REFERENCES = "dictionary::entries_are_there_before_records_that_refer_to_them"
COMMIT_ENTRY = "        self.mapping().word(self.base).store(seal(end.used as u64), Ordering::Release);\n"
APPEND_STRING = "                && let Ok(reference) = self.append(&mut end, EntryKind::String, string.as_bytes())\n            {\n"
ENTER = "self.index[slot].store(hash >> 32 << 32 | u64::from(reference), Ordering::Release);"

DICT = [
    mutant("DICT", "committed stored Relaxed", ENTRIES, DICTIONARY, relaxed(COMMIT_ENTRY)),
    mutant(
        "DICT", "committed stored before the entry", ENTRIES, DICTIONARY,
        without(COMMIT_ENTRY),
        (
            "        self.mapping().store_bytes(at + EntryHeader::SIZE, payload);\n",
            "        let next = end.used + align8(length);\n"
            "        self.mapping().word(self.base).store(seal(next as u64), Ordering::Release);\n"
            "        self.mapping().store_bytes(at + EntryHeader::SIZE, payload);\n",
        ),
    ),
    mutant(
        "DICT", "observer loads committed Relaxed", ENTRIES, f"{MODELS}/dictionary.rs",
        relaxed("unseal(mapping.word(0).load(Ordering::Acquire))", "Acquire"),
    ),
    mutant(
        "DICT", "entered into the index before it is published", REFERENCES, DICTIONARY,
        (
            "            if let Some(slot) = self.free_slot(hash)\n" + APPEND_STRING,
            "            if let Some(slot) = self.free_slot(hash)\n"
            "                && {\n"
            "                    let reference = end.used as u64 / 8;\n"
            "                    self.index[slot].store(hash >> 32 << 32 | reference, Ordering::Release);\n"
            "                    true\n"
            "                }\n" + APPEND_STRING,
        ),
    ),
    mutant("DICT", "index stored Relaxed", REFERENCES, DICTIONARY, relaxed(ENTER)),
    mutant(
        "DICT", "index loaded Relaxed", REFERENCES, DICTIONARY,
        relaxed("let entry = self.index[(low_bits(hash) + probe) & mask].load(Ordering::Acquire);", "Acquire"),
    ),
]

REUSE = "spans::a_copy_of_blocks_that_went_to_another_span_is_known_for_one"
CONTENT = "spans::content_against_observer"
ENDS = "spans::a_span_that_ends_is_in_one_place_at_least"
WRITE = "            self.blocks.write(&state.chain, state.chain.bytes, items);\n            state.chain.bytes += items.len();\n"
GROWN = f"        {FENCE}\n        self.next[chain.last as usize]"
BLOCK = "        let mut block = chain.head;\n"
BEFORE_CONTENT = f"        {FENCE}\n{BLOCK}"
SPAN_TESTS = f"{MODELS}/spans.rs"

SPAN = [
    mutant("SPAN", "committed stored Relaxed", CONTENT, BLOCKS, relaxed(".store(word, Ordering::Release);")),
    mutant(
        "SPAN", "started before its content", CONTENT, SPANS,
        without("        self.blocks.write(&state.chain, 0, content);\n"),
        (
            "        self.blocks.publish(&state.chain, state.generation);\n        Ok((",
            "        self.blocks.publish(&state.chain, state.generation);\n"
            "        self.blocks.write(&state.chain, 0, content);\n        Ok((",
        ),
    ),
    mutant(
        "SPAN", "items published before they are stored", CONTENT, SPANS,
        (WRITE, "            let at = state.chain.bytes;\n            state.chain.bytes += items.len();\n"),
        (
            "            self.blocks.publish(&state.chain, state.generation);\n            return false;",
            "            self.blocks.publish(&state.chain, state.generation);\n"
            "            self.blocks.write(&state.chain, at, items);\n            return false;",
        ),
    ),
    mutant(
        "SPAN", "observer loads committed Relaxed", CONTENT, SPAN_TESTS,
        relaxed("let before = self.head(Ordering::Acquire);", "Acquire"),
    ),
    mutant("SPAN", "no fence before content", REUSE, BLOCKS, (BEFORE_CONTENT, BLOCK)),
    mutant(
        "SPAN", "fence in the thread that takes the blocks alone",
        "spans::another_thread_appends_to_a_block_that_was_another_spans", BLOCKS,
        (BEFORE_CONTENT, BLOCK),
        (
            "            if chain.blocks == wanted {\n",
            f"            if chain.blocks == wanted {{\n                {FENCE}\n",
        ),
    ),
    mutant(
        "SPAN", "no fence before a link", "spans::another_thread_links_a_block_that_was_another_spans", BLOCKS,
        (GROWN, "        self.next[chain.last as usize]"),
    ),
    mutant(
        "SPAN", "the end does not store committed", REUSE, SPANS,
        without("            self.blocks.retire(&state.chain, state.generation);\n"),
    ),
    mutant(
        "SPAN", "the same generation again", "spans::a_copy_of_blocks_that_went_to_another_span_is_known_for_one", SPANS,
        (
            "state.generation = next_generation(state.generation);",
            "state.generation = next_generation(0);",
        ),
    ),
    mutant(
        "SPAN", "taken out of the table before it is a record", ENDS, SPANS,
        (
            "            let appended = pool.append(heading, scratch);\n",
            "            self.release(state);\n            let appended = pool.append(heading, scratch);\n",
        ),
    ),
    mutant(
        "SPAN", "observer does not check the head", REUSE, SPAN_TESTS,
        (
            "(after.generation == before.generation && after.bytes >= before.bytes).then_some(copy)",
            "(after.generation != 0).then_some(copy)",
        ),
    ),
    mutant(
        "SPAN", "observer does not look whether it ended", REUSE, SPAN_TESTS,
        (" && after.bytes >= before.bytes", ""),
    ),
    mutant(
        "SPAN", "observer without fence behind the content", REUSE, OBSERVER,
        (
            "|word| word.load(Ordering::Relaxed)).collect();\n    fence(Ordering::Acquire);\n",
            "|word| word.load(Ordering::Relaxed)).collect();\n",
        ),
    ),
    mutant(
        "SPAN", "observer loads the head again Relaxed", ENDS, SPAN_TESTS,
        relaxed("let after = self.head(Ordering::Acquire);", "Acquire"),
    ),
]

ADDED = "cells::threads_that_add_lose_nothing"
SERIES = "cells::a_new_series_has_its_header_and_its_attributes"
MARK = "        mark_seen(words, if matches!(value, Number::Int(_)) { VALUE_INT } else { VALUE_DOUBLE });\n"
ADD = """        match value {
            Number::Int(number) => add_int(words, number),
            Number::Double(number) => add_double(words, number),
        }
"""
TIME = "        put_time(words, time_unix_nano);\n"
NEW_HEADER = "        mapping.store_bytes(at, stream.header(set.reference, flags, time_unix_nano).as_bytes());\n"
NEW_END = "        committed.store(seal(space.used as u64), Ordering::Release);\n"

CELL = [
    mutant(
        "CELL", "small integer added Relaxed", "cells::a_small_integer_has_type_and_time", CELLS,
        relaxed("word.fetch_add(number.cast_unsigned(), Ordering::Release);"),
    ),
    mutant(
        "CELL", "large integer added Relaxed", "cells::a_large_integer_has_type_and_time", CELLS,
        (
            "word.compare_exchange_weak(current, sum.cast_unsigned(), Ordering::Release,",
            "word.compare_exchange_weak(current, sum.cast_unsigned(), Ordering::Relaxed,",
        ),
    ),
    mutant(
        "CELL", "double added Relaxed", "cells::a_double_has_type_and_time", CELLS,
        (
            "word.compare_exchange_weak(current, sum, Ordering::Release,",
            "word.compare_exchange_weak(current, sum, Ordering::Relaxed,",
        ),
    ),
    mutant(
        "CELL", "value added before its type", "cells::a_small_integer_has_type_and_time", CELLS,
        without(MARK), (ADD, "        let added = " + ADD.strip() + ";\n" + MARK + "        added\n"),
    ),
    mutant(
        "CELL", "value added before its time", "cells::a_small_integer_has_type_and_time", CELLS,
        (TIME + "        // After the time", "        // After the time"),
        (
            ADD,
            "        let added = " + ADD.strip() + ";\n"
            "        words[SUM_TIME].fetch_max(time_unix_nano, Ordering::Relaxed);\n        added\n",
        ),
    ),
    mutant(
        "CELL", "integer total stored Relaxed", "cells::a_total_of_integers_has_type_and_time", CELLS,
        relaxed("words[INT_VALUE].store(total.cast_unsigned(), Ordering::Release);"),
    ),
    mutant(
        "CELL", "double total stored Relaxed", "cells::a_total_of_doubles_has_type_and_time", CELLS,
        relaxed("words[DOUBLE_BITS].store(rest.to_bits(), Ordering::Release);"),
    ),
    mutant(
        "CELL", "totals stored without the lock", "cells::threads_that_store_totals_leave_one_of_them", CELLS,
        without("        let Some(_latch) = self.latch.lock_bounded() else { return Err(Error::Busy) };\n"),
    ),
    mutant(
        "CELL", "type stored in place of fetch-or", ADDED, CELLS,
        ("words[SEEN].fetch_or(kind, Ordering::Relaxed);", "words[SEEN].store(kind, Ordering::Relaxed);"),
    ),
    mutant(
        "CELL", "integer stored in place of an addition", ADDED, CELLS,
        (
            "word.fetch_add(number.cast_unsigned(), Ordering::Release);",
            "word.store(current.wrapping_add(number.cast_unsigned()), Ordering::Release);",
        ),
    ),
    mutant(
        "CELL", "observer loads the value Relaxed", "cells::a_small_integer_has_type_and_time", f"{MODELS}/cells.rs",
        relaxed("let found = series.load(offset, Ordering::Acquire);", "Acquire"),
    ),
    mutant("CELL", "end of the cells stored Relaxed", SERIES, METRICS, relaxed(NEW_END)),
    mutant(
        "CELL", "end of the cells stored before the series", SERIES, METRICS,
        without(NEW_HEADER), (NEW_END, NEW_END + NEW_HEADER),
    ),
    mutant(
        "CELL", "observer loads the end of the cells Relaxed", SERIES, f"{MODELS}/cells.rs",
        relaxed('unseal(mapping.word(at).load(Ordering::Acquire)).expect("the check");', "Acquire"),
    ),
]

MOMENT = "cells::a_copy_is_of_one_moment"
FIRST = "cells::a_first_copy_is_there_with_its_version"
NEW_VERSION = "        mapping.word(self.at + VERSION).store(seal(version), Ordering::Release);\n"

FLIP = [
    mutant("FLIP", "version stored Relaxed", FIRST, CELLS, relaxed(NEW_VERSION)),
    mutant(
        "FLIP", "version stored before the copy", FIRST, CELLS,
        without(NEW_VERSION),
        ("        write(&mut latch, copy, number);\n", NEW_VERSION + "        write(&mut latch, copy, number);\n"),
    ),
    mutant("FLIP", "no fence before the copy", MOMENT, CELLS, without(FENCE)),
    mutant(
        "FLIP", "the copy in force is written", MOMENT, CELLS,
        ("let number = usize::from(version & 1 == 1);", "let number = usize::from(version & 1 == 0);"),
    ),
    mutant(
        "FLIP", "observer loads the version Relaxed", FIRST, f"{MODELS}/cells.rs",
        relaxed("let before = version(Ordering::Acquire);", "Acquire"),
    ),
    mutant(
        "FLIP", "observer does not check the version", MOMENT, f"{MODELS}/cells.rs",
        ("if version(Ordering::Relaxed) != before {", "if false {"),
    ),
    mutant(
        "FLIP", "observer without fence behind the copy", MOMENT, OBSERVER,
        (
            "|word| word.load(Ordering::Relaxed)).collect();\n    fence(Ordering::Acquire);\n",
            "|word| word.load(Ordering::Relaxed)).collect();\n",
        ),
    ),
]

COMPLETE = "recording::a_closed_file_is_complete"
NAMED = "recording::a_file_with_a_name_is_complete"
CLOSE_TIME = """        mapping
            .word(STATE_OFFSET + offset_of!(HeaderState, closed_realtime_nanos))
            .store(clock::realtime_nanos(), Ordering::Relaxed);
"""
CLOSE_STATE = """        mapping
            .word(STATE_OFFSET + offset_of!(HeaderState, state))
            .store(FileState::Closed.code(), Ordering::Release);
"""
PUBLISH = "        recorder.storage.publish(&recorder.path)?;\n"
START = "        recorder.start_sections(copied)?;\n"
RECORDING_TESTS = f"{MODELS}/recording.rs"

CLOSE = [
    mutant("CLOSE", "state stored Relaxed", COMPLETE, RECORDER, relaxed(CLOSE_STATE)),
    mutant(
        "CLOSE", "state stored before the time", COMPLETE, RECORDER,
        without(CLOSE_TIME), (CLOSE_STATE, CLOSE_STATE + CLOSE_TIME),
    ),
    mutant(
        "CLOSE", "observer loads the state Relaxed", COMPLETE, RECORDING_TESTS,
        relaxed("if state(mapping, Ordering::Acquire) != Some(FileState::Closed) {", "Acquire"),
    ),
    mutant(
        "3.4", "lock given up before the state", COMPLETE, RECORDER,
        without("        self.storage.unlock();\n"), (CLOSE_STATE, "        self.storage.unlock();\n" + CLOSE_STATE),
    ),
    mutant(
        "11.10", "lanes not taken before the state", "recording::nothing_is_recorded_after_the_close", RECORDER,
        without("        [&self.spans, &self.events, &self.measurements].into_iter().for_each(Pool::freeze);\n"),
    ),
    mutant("11.1", "sections begun after the name", NAMED, RECORDER, without(START), (PUBLISH, PUBLISH + START)),
    mutant(
        "11.1", "header stored after the name", NAMED, RECORDER,
        without("        write_header(&storage, &config, &layout, file_id, &origin, parent);\n"),
        (
            PUBLISH,
            PUBLISH
            + "        let (storage, config, layout) = (&recorder.storage, &recorder.config, &recorder.layout);\n"
            "        write_header(storage, config, layout, file_id, &origin, parent);\n",
        ),
    ),
    mutant(
        "none", "counter stored in place of an addition", "recording::counters_lose_nothing", RECORDER,
        (
            ".word(counters + counter_index(signal, counter) * 8)\n"
            "            .fetch_add(amount, Ordering::Relaxed);",
            ".word(counters + counter_index(signal, counter) * 8)\n"
            "            .store(counter_before + amount, Ordering::Relaxed);",
        ),
        (
            "        // Relaxed: each counter stands for itself.\n",
            "        let word = self.storage.mapping().word(counters + counter_index(signal, counter) * 8);\n"
            "        let counter_before = word.load(Ordering::Relaxed);\n",
        ),
    ),
]

LOCKED = "lock::holders_exclude_each_other"

TAKE = "compare_exchange(0, number_of_this_thread(), Ordering::Acquire, Ordering::Relaxed)"

LOCK = [
    mutant("lock", "taken Relaxed", LOCKED, SYNC, (TAKE, TAKE.replace("Acquire", "Relaxed"))),
    mutant("lock", "given back Relaxed", LOCKED, SYNC, relaxed("self.lock.holder.store(0, Ordering::Release);")),
    mutant(
        "lock", "taken in two steps", LOCKED, SYNC,
        (
            TAKE,
            "load(Ordering::Acquire)\n"
            "            .checked_sub(1)\n"
            "            .map_or(Ok(()), |_| Err(()))\n"
            "            .inspect(|()| self.holder.store(number_of_this_thread(), Ordering::Release))",
        ),
    ),
]

FENCES_SUFFICE = (
    "the fences of PUB and RECYCLE order payload and acknowledgement already; a writer that does not know how its "
    "exporter reads relies on this one"
)

NEEDLESS = [
    mutant(
        "ACK", "acknowledgements closed Relaxed", "acknowledge", CLAIM,
        (CLOSE_WORD, CLOSE_WORD.replace("AcqRel", "Relaxed")), reason=FENCES_SUFFICE,
    ),
    mutant(
        "ACK", "policy loads the acknowledgement Relaxed", "acknowledge", CLAIM,
        relaxed("Acknowledged::unpack(word.load(Ordering::Acquire))", "Acquire"), reason=FENCES_SUFFICE,
    ),
    mutant(
        "ACK", "exporter's compare-exchange Relaxed", "acknowledge", ADVANCE,
        (COMPARE, COMPARE.replace("AcqRel", "Relaxed").replace("Acquire", "Relaxed")),
        ("word.load(Ordering::Acquire)", "word.load(Ordering::Relaxed)"), reason=FENCES_SUFFICE,
    ),
    mutant(
        "SPAN", "mark of a spilled span Relaxed", "spans", BLOCKS,
        relaxed("word.fetch_or(u64::from(BLOCK_FLAG_SPILLED) << 32, Ordering::Release);"),
        reason="a fetch-or hands on the fence before the store of 0 that it changes; a writer may store the flag plainly",
    ),
]

MUTANTS = [*PUB, *RECYCLE, *ACK, *BASE, *DICT, *SPAN, *CELL, *FLIP, *CLOSE, *LOCK]
