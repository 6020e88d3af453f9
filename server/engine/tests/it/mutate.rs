//! Inputs for fuzz targets without a fuzzer: mutations of seeds, the same each time.

use std::fs;
use std::panic::{self, RefUnwindSafe};
use std::path::Path;

const LONGEST: usize = 2048;

/// Holds a property against `executions` inputs: the seeds in `folder`, and what mutations make of them.
pub fn run(folder: &Path, executions: usize, property: impl Fn(&[u8]) + RefUnwindSafe) {
    let seeds = seeds(folder);
    let mut random = Random(0x4e61_7474_6572);
    for at in 0..executions {
        let mut input = random.pick(&seeds).clone();
        // The seeds themselves come first.
        if let Some(seed) = seeds.get(at) {
            input.clone_from(seed);
        } else {
            for _ in 0..=random.below(6) {
                mutate(&mut input, &seeds, &mut random);
            }
        }
        let outcome = panic::catch_unwind(|| property(&input));
        assert!(outcome.is_ok(), "it does not hold for {:?}", input.escape_ascii().to_string());
    }
}

fn seeds(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below(input.len() - at + 1);
    match random.below(7) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end)),
        2 => input.insert(at, *random.pick(b"\0\x01\x1e\x7e\x7f\x80\xed\xff09:\"\\%")),
        3 => input.extend_from_within(at..end),
        4 => drop(input.splice(at..end, random.pick(seeds).iter().copied())),
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
    input.truncate(LONGEST);
}

/// `SplitMix64`: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}
