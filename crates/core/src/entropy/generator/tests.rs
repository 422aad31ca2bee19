use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Mutex;

use super::*;

/// A source of numbered seeds.
#[derive(Debug)]
struct Numbered(Mutex<u8>);

impl Entropy for Numbered {
    fn fill(&self, bytes: &mut [u8]) {
        assert_eq!(bytes.len(), 32, "a seed is a key");
        let mut number = self.0.lock().unwrap();
        bytes.fill(*number);
        *number += 1;
    }
}

struct Bench {
    generator: Generator,
    seeds: Numbered,
    now: Cell<Instant>,
}

impl Bench {
    fn new() -> Self {
        Self {
            generator: Generator::unseeded(),
            seeds: Numbered(Mutex::new(0)),
            now: Cell::new(Instant::now()),
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.generator.fill(&mut bytes, &self.seeds, || self.now.get());
        bytes
    }

    fn seeds(&self) -> u8 {
        *self.seeds.0.lock().unwrap()
    }

    fn wait(&self, time: Duration) {
        self.now.set(self.now.get() + time);
    }
}

const BUFFER: usize = 4 * (WORDS - KEY);

#[test]
fn the_bits_are_those_of_chacha20() {
    // RFC 8439, appendix A.1, test vectors 1 and 2: the blocks 0 and 1 of the key of zeros. The first 32 bytes are not
    // handed out: they are the next key.
    let mut bench = Bench::new();
    let block_0 = hex("da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
    let block_1 = hex("9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed\
         29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
    assert_eq!(bench.take(32), block_0);
    assert_eq!(bench.take(64), block_1);
}

#[test]
fn the_first_words_of_a_buffer_are_the_key_of_the_next() {
    let mut bench = Bench::new();
    bench.take(BUFFER);
    let key = hex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7");
    let mut next = [0; WORDS];
    ChaChaCore::<R20, Legacy>::from_seed(key.try_into().unwrap()).generate(&mut next);
    let next: Vec<u8> = next.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(bench.take(BUFFER), next[4 * KEY..]);
    assert_eq!(bench.seeds(), 1);
}

#[test]
fn the_length_of_requests_does_not_matter() {
    let all = Bench::new().take(10 * BUFFER);
    for length in [4, 24, 32, BUFFER - 4, BUFFER, BUFFER + 4, 5 * BUFFER] {
        let mut bench = Bench::new();
        let taken: Vec<u8> = (0..10 * BUFFER / length).flat_map(|_| bench.take(length)).collect();
        assert_eq!(taken, all[..taken.len()], "by {length}");
    }
    assert!(Bench::new().take(0).is_empty());
}

#[test]
fn the_rest_of_a_word_is_not_handed_out() {
    let mut bench = Bench::new();
    let all = Bench::new().take(20);
    assert_eq!(bench.take(1), all[..1]);
    assert_eq!(bench.take(6), all[4..10]);
    assert_eq!(bench.take(8), all[12..20]);
}

#[test]
fn bits_handed_out_are_erased() {
    let mut bench = Bench::new();
    let mut key = [0; KEY];
    for taken in 0..200 {
        let id = bench.take(24);
        let kept: Vec<u8> = bench
            .generator
            .words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        for part in id.chunks(4) {
            assert!(!kept.windows(4).any(|window| window == part), "id {taken} is kept");
        }
        assert!(
            bench.generator.words[KEY..bench.generator.next]
                .iter()
                .all(|&word| word == 0)
        );
        let has_new_buffer = bench.generator.next <= KEY + 6;
        let current = bench.generator.words[..KEY].try_into().unwrap();
        if taken > 0 {
            assert_eq!(
                current != key,
                has_new_buffer,
                "a key generates one buffer and is replaced"
            );
        }
        key = current;
    }
}

#[test]
fn a_seed_generates_a_limited_number_of_buffers() {
    let mut bench = Bench::new();
    assert_eq!(bench.seeds(), 0);
    for seeds in 1..=5 {
        for _ in 0..BUFFERS_PER_SEED {
            bench.take(BUFFER);
            assert_eq!(bench.seeds(), seeds);
        }
    }
}

#[test]
fn a_seed_generates_buffers_for_a_limited_time() {
    let mut bench = Bench::new();
    bench.take(BUFFER);
    bench.wait(MAX_AGE - Duration::from_nanos(1));
    bench.take(1);
    assert_eq!(bench.seeds(), 1);
    bench.wait(Duration::from_nanos(1));
    // The rest of the buffer is still handed out, but no more.
    bench.take(BUFFER - 4);
    assert_eq!(bench.seeds(), 1);
    bench.take(1);
    assert_eq!(bench.seeds(), 2);
    // The age counts from the newest seed.
    bench.wait(MAX_AGE - Duration::from_nanos(1));
    bench.take(BUFFER);
    assert_eq!(bench.seeds(), 2);
}

#[test]
fn forgetting_erases_the_state_and_takes_a_new_seed() {
    let mut bench = Bench::new();
    bench.take(5);
    bench.generator.forget();
    assert_eq!(bench.generator.words, [0; WORDS]);
    assert_eq!(bench.seeds(), 1);
    bench.take(5);
    assert_eq!(bench.seeds(), 2);
}

#[test]
fn different_seeds_generate_different_bits() {
    let mut bench = Bench::new();
    let blocks: HashSet<_> = (0..50)
        .map(|_| {
            bench.generator.forget();
            bench.take(BUFFER)
        })
        .collect();
    assert_eq!(blocks.len(), 50);
}

#[test]
fn nothing_is_handed_out_without_a_seed() {
    #[derive(Debug)]
    struct Broken;
    impl Entropy for Broken {
        fn fill(&self, _: &mut [u8]) {
            panic!("there is nothing");
        }
    }
    let mut bench = Bench::new();
    bench.take(BUFFER);
    bench.wait(MAX_AGE);
    for _ in 0..2 {
        let mut bytes = [0; 24];
        let filled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            bench.generator.fill(&mut bytes, &Broken, || bench.now.get());
        }));
        assert!(filled.is_err());
        assert_eq!(bytes, [0; 24]);
    }
    bench.take(BUFFER);
    assert_eq!(bench.seeds(), 2);
}

/// The seeds are fixed, so the stream is too, and the test is deterministic.
#[test]
fn bits_bytes_and_runs_are_distributed_as_expected() {
    let bytes = Bench::new().take(1 << 20);
    let bits = 8.0 * bytes.len() as f64;
    let within = |what: &str, found: f64, expected: f64, deviation: f64| {
        let off = (found - expected) / deviation;
        assert!(
            off.abs() < 4.0,
            "{what}: {found} instead of {expected}, {off} deviations"
        );
    };
    for bit in 0..8 {
        let ones = bytes.iter().filter(|&&byte| byte >> bit & 1 == 1).count();
        within(
            &format!("ones at {bit}"),
            ones as f64,
            bits / 16.0,
            (bits / 32.0).sqrt(),
        );
    }
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let expected = bytes.len() as f64 / 256.0;
    let squares: f64 = counts
        .iter()
        .map(|&count| (f64::from(count) - expected).powi(2) / expected)
        .sum();
    within("chi squared of the bytes", squares, 255.0, (2.0 * 255.0_f64).sqrt());
    let changes: u32 = bytes.iter().map(|byte| ((byte ^ byte >> 1) & 0x7f).count_ones()).sum();
    within(
        "changes within bytes",
        f64::from(changes),
        bits * 7.0 / 16.0,
        (bits * 7.0 / 32.0).sqrt(),
    );
    let equal = bytes
        .iter()
        .zip(&bytes[BUFFER..])
        .filter(|(one, other)| one == other)
        .count();
    let pairs = (bytes.len() - BUFFER) as f64;
    within(
        "equal bytes a buffer apart",
        equal as f64,
        pairs / 256.0,
        (pairs / 256.0).sqrt(),
    );
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}
