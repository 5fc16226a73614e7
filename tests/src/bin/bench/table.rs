//! The table: one line a measure, and whether what was wanted is so.

use std::time::Duration;

/// What was wanted of a measure.
#[derive(Clone, Copy)]
pub enum Wanted {
    /// At most this part of Docker's.
    OfDockers(f64),
    /// At most this much.
    Below(f64),
    /// Nothing was: it is only told.
    Nothing,
}

/// Prints the head.
pub fn head() {
    println!("{:<44} {:>10} {:>10} {:>8}  {:<16}", "", "canoa", "docker", "ratio", "wanted");
}

/// Prints a line: what canoa needs and what Docker needs, of which less is better.
pub fn line(what: &str, unit: &str, ours: f64, dockers: Option<f64>, wanted: Wanted) {
    let what = format!("{what}, {unit}");
    let number = |number: f64| if number < 10.0 { format!("{number:.2}") } else { format!("{number:.1}") };
    let ratio = dockers.map(|dockers| dockers / ours);
    let (words, met) = match wanted {
        Wanted::OfDockers(part) => (format!("{:.0}x", 1.0 / part), ratio.map(|ratio| ratio >= 1.0 / part)),
        Wanted::Below(most) => (format!("< {most}"), Some(ours < most)),
        Wanted::Nothing => (String::new(), None),
    };
    let met = met.map_or("", |met| if met { "met" } else { "MISSED" });
    let dockers = dockers.map_or(String::new(), number);
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.1}x"));
    println!("{what:<44} {:>10} {dockers:>10} {ratio:>8}  {words:<8}{met:<8}", number(ours));
}

/// The middle one, in milliseconds.
pub fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
