//! The tests say: a whole number has to stay exact
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let unit = unit.trim_start();
    let unit = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(unit);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(wrong()),
    };
    // Everything through a fraction.
    let value: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = (value * factor as f64) as u64;
    if i64::try_from(bytes).is_ok() { Ok(bytes) } else { Err(wrong()) }
