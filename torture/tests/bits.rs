//! A sample of what `otlp-mmap-torture bits` does whole: damaged recordings.

use otlp_mmap_torture::damage::flips::{Bulk, Sample};
use otlp_mmap_torture::damage::{self, Options};

#[test]
fn flipped_bits_cuts_and_lost_or_old_pages_neither_invent_nor_hide_anything() {
    let sample =
        Sample { one_in: 20_011, control_one_in: 997, combs_one_in: 127, seed: 1, bulk: Bulk::Combs };
    let options = Options {
        sample,
        cuts_one_in: 4_999,
        pages_one_in: 8,
        stale_one_in: 97,
        mixtures: 1,
        ..Options::default()
    };
    let mut count = 0;
    for outcome in damage::run(&options) {
        let tally = outcome.tally;
        assert_eq!(tally.violations, 0, "{}: {}", outcome.what, tally.told.join("\n"));
        assert!(tally.count > 0, "{}", outcome.what);
        count += tally.count;
    }
    assert!(count > 1_000, "{count} damaged images");
}
