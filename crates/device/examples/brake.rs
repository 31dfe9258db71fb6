//! Slows a process down by a known share: stops it again and again for a part of the time that it let it run. Its work then
//! takes that much longer, and no line of it knows. For `crates/app/examples/self_check.rs`.
//!
//! Arguments: `PID PERCENT`. It must be a child of that process, and ends with it.
#![allow(missing_docs)]

use std::error::Error;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    use rustix::process::{Pid, Signal, getppid, kill_process};
    use std::time::{Duration, Instant};
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pid, percent] = arguments.as_slice() else { return Err("PID PERCENT".into()) };
    let pid = Pid::from_raw(pid.parse()?).ok_or("no process has the number 0")?;
    let share = percent.parse::<f64>()? / 100.0;
    let mut running = Instant::now();
    // A parent that ends hands its children on to another one.
    while getppid() == Some(pid) {
        std::thread::sleep(Duration::from_millis(10));
        kill_process(pid, Signal::STOP)?;
        let stopped = Instant::now();
        let until = stopped + (stopped - running).mul_f64(share);
        std::thread::sleep(until.saturating_duration_since(Instant::now()).saturating_sub(Duration::from_micros(100)));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        kill_process(pid, Signal::CONT)?;
        running = Instant::now();
    }
    Ok(())
}

#[cfg(not(unix))]
fn main() -> Result<(), Box<dyn Error>> {
    Err("this needs signals that stop a process and let it go on".into())
}
