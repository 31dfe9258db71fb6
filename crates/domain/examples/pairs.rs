//! Whether repetitions should be taken as pairs: two models that differ by nothing or by 5 %, measured on machines that
//! disturb them in four ways, and what either way of comparing says. Prints a Markdown table (`docs/adr/0014-pairs.md`).
#![allow(missing_docs)]

use pocketbench_domain::compare::CompareOptions;
use pocketbench_domain::stats::{Bootstrap, Estimate};

/// Made-up comparisons behind each figure.
const TRIALS: u32 = 1_000;

/// `SplitMix64`, as the bootstrap's.
struct Random(u64);

impl Random {
    /// From 0 up to 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Logarithm of the speed that a machine has at each measurement, in the order in which they are made.
type Machine = fn(&mut Random, usize) -> Vec<f64>;

const MACHINES: [(&str, Machine); 4] = [
    ("each scatters by itself, 3 %", |random, n| (0..n).map(|_| 0.03 * random.normal()).collect()),
    ("one in five takes half as long again", |random, n| {
        (0..n).map(|_| 0.01 * random.normal() - if random.uniform() < 0.2 { 1.5_f64.ln() } else { 0.0 }).collect()
    }),
    ("slows down by 20 % from first to last", |random, n| {
        (0..n).map(|i| 0.01 * random.normal() + 0.8_f64.ln() * i as f64 / (n - 1) as f64).collect()
    }),
    ("slower by a quarter for phases of seven", |random, n| {
        let mut slow = random.uniform() < 0.5;
        let mut next = |random: &mut Random| {
            slow ^= random.uniform() < 1.0 / 7.0;
            0.01 * random.normal() - if slow { (4.0_f64 / 3.0).ln() } else { 0.0 }
        };
        (0..n).map(|_| next(random)).collect()
    }),
];

/// How often a way found a winner, and the right one; and the squares of its errors.
#[derive(Default)]
struct Tally {
    winners: u32,
    right: u32,
    squares: f64,
}

impl Tally {
    fn add(&mut self, ratio: &Estimate, truth: f64) {
        // Rates: more is better, so slot 0 is better where the ratio is below 1.
        let winner = CompareOptions::default().decide(&ratio.inverse());
        self.winners += u32::from(winner.is_some());
        self.right += u32::from(winner == Some(0));
        self.squares += (ratio.value / truth).ln().powi(2);
    }
}

fn main() {
    let mut bootstrap = Bootstrap::new();
    println!("| repetitions | the machine | drawn | finds a winner where there is none | finds 5 % | typical error |");
    println!("|---:|---|---|---:|---:|---:|");
    for repetitions in [5, 10] {
        for (name, machine) in MACHINES {
            let mut random = Random(1);
            let mut tallies: [[Tally; 2]; 2] = Default::default();
            for _ in 0..TRIALS {
                let speeds = machine(&mut random, 2 * repetitions);
                for (tallies, truth) in tallies.iter_mut().zip([1.0, 1.0 / 1.05]) {
                    let (mut a, mut b) = (Vec::new(), Vec::new());
                    // A B, B A, A B …
                    for (i, pair) in speeds.chunks(2).enumerate() {
                        a.push(pair[i % 2].exp());
                        b.push(pair[1 - i % 2].exp() * truth);
                    }
                    let ways = [bootstrap.median_ratio(&a, &b), bootstrap.paired_ratio(&a, &b)];
                    for (tally, ratio) in tallies.iter_mut().zip(ways) {
                        tally.add(&ratio.expect("positive speeds"), truth);
                    }
                }
            }
            let [same, slower] = &tallies;
            for (way, (same, slower)) in ["apart", "as pairs"].iter().zip(same.iter().zip(slower)) {
                let share = |count: u32| 100.0 * f64::from(count) / f64::from(TRIALS);
                println!(
                    "| {repetitions} | {name} | {way} | {:.1} % | {:.0} % | {:.1} % |",
                    share(same.winners),
                    share(slower.right),
                    100.0 * (slower.squares / f64::from(TRIALS)).sqrt()
                );
            }
        }
    }
}
