//! Zeros: a file that claims a terabyte of them takes no room on a disk (SPEC "Security").
//!
//! Whole pages of zeros in what a reading keeps are counted. Up to a limit they are what any other bytes are: an
//! application may have recorded them, and a copy of its file may have made a hole of them. The limit grows with the
//! room that the file does take, so that a file without holes never comes to it.

use crate::bytes::size;
use crate::model::Point;
use crate::source::Source;

/// Bytes of zeros that any file may have kept.
const MAX_KEPT: u64 = 1 << 26;
/// Further ones, in sizes of what the file takes on its disk.
const MAX_FACTOR: u64 = 4;

/// A page of zeros.
static PAGE: [u8; 4096] = [0; 4096];
/// Bucket counts in a page.
const PAGE_COUNTS: usize = 512;

/// The pages of zeros that one reading keeps.
#[derive(Debug, Default)]
pub(crate) struct Zeros {
    /// Bytes of them.
    kept: u64,
}

impl Zeros {
    /// Counts the pages of zeros in `bytes`, from their start; or says why they are too many to keep.
    pub(crate) fn keep(&mut self, bytes: &[u8], source: &Source) -> Result<(), String> {
        let (pages, _) = bytes.as_chunks::<{ PAGE.len() }>();
        self.add(pages.iter().filter(|page| **page == PAGE).count(), source)
    }

    /// As [`Self::keep`], for the bucket counts of a point.
    pub(crate) fn keep_point(&mut self, point: &Point, source: &Source) -> Result<(), String> {
        let pages = |counts: &[u64]| {
            let (pages, _) = counts.as_chunks::<PAGE_COUNTS>();
            pages.iter().filter(|page| **page == [0; PAGE_COUNTS]).count()
        };
        let found = match point {
            Point::Gauge(_) | Point::Sum(_) => 0,
            Point::Histogram { bucket_counts, .. } => pages(bucket_counts),
            Point::ExponentialHistogram { positive, negative, .. } => {
                pages(&positive.counts) + pages(&negative.counts)
            }
        };
        self.add(found, source)
    }

    fn add(&mut self, pages: usize, source: &Source) -> Result<(), String> {
        let kept = self.kept.saturating_add(size(pages.saturating_mul(PAGE.len())));
        if pages > 0 && kept > MAX_KEPT {
            let limit = source.allocated().saturating_mul(MAX_FACTOR).saturating_add(MAX_KEPT);
            if kept > limit {
                return Err(format!("left out: {kept} bytes in pages of zeros, expected at most {limit}"));
            }
        }
        self.kept = kept;
        Ok(())
    }
}

/// Where the zeros end with which `bytes` begin.
pub(crate) fn leading(bytes: &[u8]) -> usize {
    // Pages are compared at once: most bytes of a file with many zeros are in such.
    let pages = bytes.chunks(PAGE.len()).take_while(|page| PAGE.starts_with(page));
    let start = pages.map(<[u8]>::len).sum();
    let rest = bytes.get(start..).unwrap_or_default();
    start.saturating_add(rest.iter().position(|byte| *byte != 0).unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::leading;

    #[test]
    fn zeros_end_at_the_first_other_byte() {
        for length in [0, 1, 7, 4095, 4096, 4097, 8192, 10_000] {
            let mut bytes = vec![0; length];
            assert_eq!(leading(&bytes), length);
            for at in [0, 1, 8, 4095, 4096, 4097, 9_999].into_iter().filter(|at| *at < length) {
                bytes[at..].fill(1);
                assert_eq!(leading(&bytes), at, "of {length}");
                bytes[at..].fill(0);
            }
        }
    }
}
