// std.rs: Rust's standard library; the work is that of workload.h.
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

const REPEATS: usize = 3;
const TOTAL: usize = 1_000_000;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}
extern "C" {
    fn clock_gettime(clock: i32, now: *mut Timespec) -> i32;
}

fn now(n: usize) -> f64 {
    let mut at = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(if n < 1000 { 1 } else { 2 }, &mut at) }; // as workload.h
    at.seconds as f64 * 1e9 + at.nanoseconds as f64
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e3779b97f4a7c15);
    let mut x = *state;
    x = (x ^ x >> 30).wrapping_mul(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d049bb133111eb);
    x ^ x >> 31
}

fn keys(n: usize, rounds: usize, order: u64) -> Vec<u64> {
    let (mut state, mut shuffle) = (1u64, order);
    let mut keys = Vec::with_capacity(n * rounds);
    for r in 0..rounds {
        keys.extend((0..n).map(|_| random(&mut state)));
        let round = &mut keys[r * n..];
        for i in (1..n).rev() {
            if order != 0 {
                round.swap(i, (random(&mut shuffle) % (i as u64 + 1)) as usize);
            }
        }
    }
    keys
}

/// The program's argument, and the numbers given so far, as in workload.h.
struct Asked {
    wanted: i32,
    count: i32,
}
impl Asked {
    fn next(&mut self, kind: &str, n: usize) -> bool {
        if self.wanted < 0 {
            println!("{}\t{}\t{}", self.count, kind, n);
        }
        self.count += 1;
        self.count - 1 == self.wanted
    }
}

macro_rules! workload {
    ($asked:expr, $kind:expr, $library:expr, $type:ty) => {
        for n in [100, 10_000, 1_000_000] {
            if !$asked.next($kind, n) {
                continue;
            }
            let rounds = TOTAL / n;
            let (enter, look, out) = (keys(n, rounds, 0), keys(n, rounds, 1), keys(n, rounds, 2));
            let mut all = [0f64; 3];
            let mut sum = 0u64;
            let mut best = vec![[f64::MAX; 3]; rounds];
            for r in 0..REPEATS * rounds {
                let (from, to) = (r % rounds * n, r % rounds * n + n);
                let mut map = <$type>::new();
                let mut times = [now(n), 0.0, 0.0, 0.0];
                for i in from..to {
                    map.insert(enter[i], i as u64);
                }
                times[1] = now(n);
                for i in from..to {
                    sum += map.get(&look[i]).unwrap();
                }
                times[2] = now(n);
                for i in from..to {
                    map.remove(&out[i]).unwrap();
                }
                times[3] = now(n);
                for i in 0..3 {
                    best[r % rounds][i] = best[r % rounds][i].min(times[i + 1] - times[i]);
                }
            }
            for round in &best {
                for i in 0..3 {
                    all[i] += round[i];
                }
            }
            assert_eq!(sum as usize, REPEATS * (TOTAL / 2) * (TOTAL - 1));
            for (i, name) in ["insert", "find", "erase"].iter().enumerate() {
                println!("{}\t{}\t{}\t{}\t{:.2}", $kind, $library, name, n, all[i] / TOTAL as f64);
            }
        }
    };
}

macro_rules! rows {
    ($asked:expr, $kind:expr, $library:expr, $second:expr, $make:expr, $push:expr, $sort:expr) => {
        for n in [100, 10_000, 1_000_000] {
            if !$asked.next($kind, n) {
                continue;
            }
            let rounds = TOTAL / n;
            let enter = keys(n, rounds, 0);
            let mut best = vec![[f64::MAX; 2]; rounds];
            let mut popped = vec![0u64; TOTAL];
            for r in 0..REPEATS * rounds {
                let (from, to) = (r % rounds * n, r % rounds * n + n);
                let mut row = $make;
                let mut times = [now(n), 0.0, 0.0];
                for i in from..to {
                    $push(&mut row, enter[i]);
                }
                times[1] = now(n);
                $sort(&mut row, &mut popped);
                times[2] = now(n);
                let sorted: &[u64] = if $second == "sort" { row.as_slice() } else { &popped[..n] };
                assert!(sorted.windows(2).all(|w| w[0] <= w[1]));
                for i in 0..2 {
                    best[r % rounds][i] = best[r % rounds][i].min(times[i + 1] - times[i]);
                }
            }
            for (i, name) in ["push", $second].iter().enumerate() {
                let all: f64 = best.iter().map(|round| round[i]).sum();
                println!("{}\t{}\t{}\t{}\t{:.2}", $kind, $library, name, n, all / TOTAL as f64);
            }
        }
    };
}

struct Queue(BinaryHeap<Reverse<u64>>);
impl Queue {
    fn as_slice(&self) -> &[u64] {
        &[]
    }
}

fn main() {
    let wanted = std::env::args().nth(1).map_or(-1, |number| number.parse().unwrap());
    let mut asked = Asked { wanted, count: 0 };
    workload!(asked, "map", "Rust BTreeMap", BTreeMap<u64, u64>);
    workload!(asked, "hash map", "Rust HashMap", HashMap<u64, u64>);
    rows!(asked, "vec", "Rust Vec, sort_unstable", "sort", Vec::<u64>::new(), |v: &mut Vec<u64>, x| v.push(x),
        |v: &mut Vec<u64>, _: &mut Vec<u64>| v.sort_unstable());
    rows!(asked, "priority queue", "Rust BinaryHeap", "pop", Queue(BinaryHeap::new()),
        |q: &mut Queue, x| q.0.push(Reverse(x)),
        |q: &mut Queue, to: &mut Vec<u64>| for at in to.iter_mut() {
            match q.0.pop() {
                Some(Reverse(x)) => *at = x,
                None => break,
            }
        });
}
