//! Calls of the writer against the plain model of what they record, `otlp_mmap_torture::model`. The property tests of
//! that crate run it too.

pub use otlp_mmap_torture::model::{Program, run};

#[cfg(test)]
mod tests {
    use super::*;
    use arbitrary::{Arbitrary, Unstructured};

    #[test]
    fn programs_made_of_noise_agree_with_the_model() {
        let mut state = 1_u64;
        for length in (0..120).map(|number| number * 25) {
            let mut noise = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.to_le_bytes()[7]
            };
            let bytes: Vec<u8> = (0..length).map(|_| noise()).collect();
            run(&Program::arbitrary_take_rest(Unstructured::new(&bytes)).expect("a program"));
        }
    }
}
