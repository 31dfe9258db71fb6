//! Records this machine's sensors as a trace, or measures what a reading costs:
//!
//! ```text
//! cargo run --release --example record-sensors -- 60 "a laptop that compiles" > trace.jsonl
//! cargo run --release --example record-sensors -- --cost
//! ```

use pocketbench_device::{SensorSampler, Sensors, Trace, TraceOrigin};
use std::time::{Duration, Instant};

fn main() {
    let mut args = std::env::args().skip(1);
    let first = args.next().unwrap_or_default();
    if first == "--cost" {
        return cost();
    }
    let Ok(seconds) = first.parse() else {
        eprintln!("record-sensors SECONDS ABOUT, or record-sensors --cost");
        std::process::exit(2);
    };
    let sampler = SensorSampler::start(Sensors::open(), Duration::from_secs(1));
    std::thread::sleep(Duration::from_secs(seconds));
    let (readings, _) = sampler.stop();
    let about = args.next().unwrap_or_default();
    print!("{}", Trace { origin: TraceOrigin::Recorded, about, readings }.to_text());
}

/// Time of a reading; at 1 Hz its seconds are the share of one core.
fn cost() {
    let opened = Instant::now();
    let mut sensors = Sensors::open();
    println!("opened in {:?}", opened.elapsed());
    for found in sensors.found() {
        println!("  {found}");
    }
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..1000 {
        let start = Instant::now();
        std::hint::black_box(sensors.read());
        times.push(start.elapsed());
    }
    times.sort();
    println!("a reading: median {:?}, p99 {:?}", times[500], times[990]);
    println!("at 1 Hz: {:.4} % of one core", times[500].as_secs_f64() * 100.0);
    println!("{:#?}", sensors.read());
}
