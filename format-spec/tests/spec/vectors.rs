//! The test vectors of SPEC.md, and what holds for every value of the functions they are of.

use super::*;

/// CRC32C bit by bit, as SPEC.md section 2 words it.
fn crc32c(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for byte in parts.iter().copied().flatten() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn crc32c_vectors() {
    for row in vectors("crc32c", &["Bytes", "CRC32C"]) {
        let bytes = match row[0].split_once(" times ") {
            Some((count, byte)) => hex(byte).repeat(count.parse().unwrap()),
            None => row[0].strip_prefix("text ").expect("text or bytes").as_bytes().to_vec(),
        };
        assert_eq!(crc32c(&[&bytes]), word32(&row[1]), "{}", row[0]);
    }
}

#[test]
fn record_check_vectors() {
    for row in vectors("record_check", &["Key", "Length", "Type", "Flags", "Generation", "Index", "Check"]) {
        let half = |cell: usize| u16::try_from(number(&row[cell])).unwrap();
        let check = record_check(
            number(&row[0]),
            word32(&row[1]),
            half(2),
            half(3),
            word32(&row[4]),
            word32(&row[5]),
        );
        assert_eq!(check, word32(&row[6]), "{row:?}");
    }
}

#[test]
fn record_check_finds_every_flipped_bit() {
    let key = 0x0706_0504_0302_0100;
    let check = |word: u128| {
        let part = |shift: u32| u32::try_from((word >> shift) & 0xffff_ffff).unwrap();
        let half = |shift: u32| u16::try_from((word >> shift) & 0xffff).unwrap();
        record_check(key, part(0), half(32), half(48), part(64), part(96))
    };
    let word: u128 = 0x58 | (1 << 32) | (3 << 64) | (7 << 96);
    for bit in 0..128 {
        assert_ne!(check(word), check(word ^ 1 << bit), "bit {bit}");
    }
}

#[test]
fn committed_vectors() {
    for row in vectors("committed", &["Generation", "Bytes", "Word"]) {
        let committed = Committed { generation: word32(&row[0]), bytes: word32(&row[1]) };
        assert_eq!(committed.pack(), number(&row[2]), "{row:?}");
        assert_eq!(Committed::unpack(number(&row[2])), Some(committed));
        flipped(number(&row[2]), |word| Committed::unpack(word).is_none());
    }
}

/// Checks that no one flipped bit goes unnoticed.
fn flipped(word: u64, is_refused: impl Fn(u64) -> bool) {
    for bit in 0..64 {
        assert!(is_refused(word ^ 1 << bit), "bit {bit} of {word:#018x}");
    }
}

#[test]
fn checked_vectors() {
    for row in vectors("checked", &["Value", "Word"]) {
        assert_eq!(seal(number(&row[0])), number(&row[1]), "{row:?}");
        assert_eq!(unseal(number(&row[1])), Some(number(&row[0])));
        flipped(number(&row[1]), |word| unseal(word).is_none());
    }
}

#[test]
fn acknowledged_vectors() {
    for row in vectors("acknowledged", &["Generation", "Closed", "Records", "Word"]) {
        let acknowledged = Acknowledged {
            generation: word32(&row[0]),
            closed: number(&row[1]) == 1,
            records: word32(&row[2]),
        };
        assert_eq!(acknowledged.pack(), number(&row[3]), "{row:?}");
        assert_eq!(Acknowledged::unpack(number(&row[3])), Some(acknowledged));
        flipped(number(&row[3]), |word| Acknowledged::unpack(word).is_none());
        let closed = Acknowledged { closed: true, ..acknowledged };
        assert_eq!(
            Acknowledged { closed: false, ..acknowledged }.pack() ^ Acknowledged::CLOSE_MASK,
            closed.pack(),
            "the mask closes and changes nothing else"
        );
    }
}

#[test]
fn a_count_of_acknowledged_records_cannot_reach_the_closed_bit() {
    let too_many = Acknowledged { generation: 1, closed: false, records: u32::MAX };
    assert!(Acknowledged::unpack(too_many.pack()).is_some_and(|cut| !cut.closed));
}

#[test]
fn active_commit_vectors() {
    for row in vectors("active_commit", &["Generation", "Bytes", "Block", "Word"]) {
        let (commit, block) =
            (ActiveCommit { generation: word32(&row[0]), bytes: word32(&row[1]) }, word32(&row[2]));
        assert_eq!(commit.pack(block), number(&row[3]), "{row:?}");
        assert_eq!(ActiveCommit::unpack(number(&row[3]), block), Some(commit));
    }
    for row in vectors("active_commit_invalid", &["Block", "Word", "Why"]) {
        assert_eq!(ActiveCommit::unpack(number(&row[1]), word32(&row[0])), None, "{row:?}");
    }
    assert_eq!(ActiveCommit::unpack(0, 12), Some(ActiveCommit { generation: 0, bytes: 0 }));
}

#[test]
fn one_flipped_bit_never_passes_for_an_active_commit() {
    for index in (0..300).chain([4095, 65_535, 1 << 20, u32::MAX - 2]) {
        for (generation, bytes) in
            [(1, 56), (1, 0), (2, 240), (0x8000_0000, 1 << 23), (u32::MAX, 0x00ff_ffff)]
        {
            let word = ActiveCommit { generation, bytes }.pack(index);
            for bit in 0..64 {
                let found = ActiveCommit::unpack(word ^ 1 << bit, index);
                // A word of a single bit becomes the word of a block that was never taken; it loses a span only
                // if it was one, and no span in flight has a word of a single bit.
                let never = (word ^ 1 << bit) == 0 && bytes == 0;
                assert!(
                    found.is_none() || never,
                    "block {index}, {generation}/{bytes}, bit {bit}: {found:?}"
                );
            }
        }
        for bit in 0..64 {
            assert_eq!(
                ActiveCommit::unpack(1 << bit, index).map_or(0, |c| c.bytes),
                0,
                "block {index}, bit {bit}"
            );
        }
    }
}

#[test]
fn an_active_commit_of_another_block_does_not_pass() {
    let word = ActiveCommit { generation: 5, bytes: 100 }.pack(17);
    let fits = (0..256).filter(|&block| ActiveCommit::unpack(word, block).is_some());
    assert_eq!(fits.collect::<Vec<_>>(), [17]);
}

#[test]
fn small_function_vectors() {
    for row in vectors("align8", &["n", "align8(n)"]) {
        assert_eq!(align8(size(&row[0])), size(&row[1]), "{row:?}");
    }
    for row in vectors("next_generation", &["Generation", "Next"]) {
        let generation = word32(&row[0]);
        assert_eq!(next_generation(generation), word32(&row[1]), "{row:?}");
        assert_ne!(next_generation(generation) & 1, generation & 1, "the parity changes with every step");
    }
    for row in vectors("counter_index", &["Signal", "Counter", "Index"]) {
        let signal = Signal::ALL.iter().find(|signal| signal.1 == row[0]).unwrap().0;
        let counter = Counter::ALL.iter().find(|counter| counter.1 == row[1]).unwrap().0;
        assert_eq!(counter_index(signal, counter), size(&row[2]), "{row:?}");
    }
}

#[test]
fn series_size_vectors() {
    for row in vectors("series_size", &["Kind", "Capacity", "Copy size", "Copy 1 at", "Size"]) {
        let kind = SeriesKind::ALL.iter().find(|kind| kind.1 == row[0]).unwrap().0;
        let capacity = word32(&row[1]);
        let (copy, size) = (kind.copy_size(capacity), series_size(kind, capacity));
        assert_eq!((copy, size), (number(&row[2]), number(&row[4])), "{row:?}");
        assert!(size.is_multiple_of(SERIES_ALIGN as u64));
        if row[3] != "-" {
            assert_eq!(SeriesHeader::SIZE as u64 + copy, number(&row[3]), "{row:?}");
            assert_eq!(SeriesHeader::SIZE as u64 + 2 * copy, size, "{row:?}");
        }
    }
}

#[test]
fn exponential_index_vectors() {
    for row in vectors("exponential_index", &["Scale", "Value", "Index"]) {
        let (scale, value): (i32, f64) = (row[0].parse().unwrap(), row[1].parse().unwrap());
        let index = (value.log2() * f64::from(scale).exp2()).ceil() - 1.0;
        assert_eq!(index.to_string(), row[2], "{row:?}");
    }
}

#[test]
fn the_whole_record_checks() {
    let rows = vectors("event_record", &["Offset", "Bytes", "Meaning"]);
    for (number_of_row, row) in rows.iter().enumerate() {
        assert_eq!(size(&row[0]), number_of_row * 8);
    }
    let bytes: Vec<u8> = rows.iter().flat_map(|row| hex(&row[1])).collect();
    let (header, rest) = <RecordHeader as zerocopy::FromBytes>::read_from_prefix(&bytes).unwrap();
    assert_eq!(header.length.get() as usize, bytes.len());
    assert_eq!(header.crc.get(), crc32c(&[&bytes[..16], &bytes[24..]]));
    let (record_type, flags) = (header.record_type.get(), header.flags.get());
    let (generation, index) = (header.generation.get(), header.index.get());
    assert_eq!(RecordType::from_code(record_type), Some(RecordType::Event));
    let check =
        record_check(0x0706_0504_0302_0100, header.length.get(), record_type, flags, generation, index);
    assert_eq!((header.check.get(), generation, index), (check, 3, 7));
    let (body, items) = <EventBody as zerocopy::FromBytes>::read_from_prefix(rest).unwrap();
    assert_eq!((body.scope_ref.get(), body.name_ref.get()), (9, 12));
    let (item, _) = <ItemHeader as zerocopy::FromBytes>::read_from_prefix(items).unwrap();
    assert_eq!(item, ItemHeader::new(ValueType::String.code(), 13, 15));
    assert_eq!(&items[8..13], b"hello");
    let (item, _) = <ItemHeader as zerocopy::FromBytes>::read_from_prefix(&items[align8(13)..]).unwrap();
    assert_eq!(item, ItemHeader::new(ValueType::Empty.code(), 8, 16));
}

#[test]
fn an_item_header_keeps_its_parts() {
    for tag in [0, 7, 32, 44, 127] {
        for length in [8, 13, u32::try_from(MAX_ITEM_SIZE).unwrap()] {
            let plain = ItemHeader::new(tag, length, 9);
            assert_eq!((plain.tag(), plain.length(), plain.is_truncated()), (tag, length, false));
            let cut = ItemHeader::new(tag | ITEM_TRUNCATED, length, 9);
            assert_eq!((cut.tag(), cut.length(), cut.is_truncated()), (tag, length, true));
        }
    }
}

#[test]
fn codes_come_back_from_their_numbers() {
    for (value, name) in Counter::ALL {
        assert_eq!((Counter::from_code(value.code()), value.name()), (Some(*value), *name));
    }
    assert_eq!(Counter::from_code(13), None);
    assert!(Counter::ALL.len() <= COUNTER_SLOTS);
    assert_eq!(ItemTag::from_code(31), None);
}

#[test]
fn series_kinds_and_aggregations_have_the_same_numbers() {
    let kinds: Vec<_> = SeriesKind::ALL.iter().map(|(kind, name)| (u32::from(kind.code()), *name)).collect();
    let aggregations: Vec<_> = Aggregation::ALL.iter().map(|(kind, name)| (kind.code(), *name)).collect();
    assert_eq!(kinds, aggregations);
}
