//! Names for containers that nobody has named: a property and a person of the sea.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::error::{Error, Result};

const PROPERTIES: &[&str] = &[
    "able", "agile", "amber", "awake", "balmy", "bold", "brave", "breezy", "bright", "brisk", "buoyant",
    "calm", "candid", "careful", "cheerful", "clear", "clever", "coastal", "cosy", "curious", "daring",
    "deft", "eager", "early", "easy", "elegant", "fair", "famous", "fearless", "fluent", "fond", "frank",
    "free", "fresh", "friendly", "gentle", "gifted", "glad", "golden", "graceful", "happy", "hardy",
    "helpful", "honest", "humble", "jolly", "jovial", "keen", "kind", "light", "lively", "loyal", "lucid",
    "lucky", "merry", "mighty", "mild", "modest", "neat", "nimble", "noble", "open", "patient", "placid",
    "plucky", "polite", "proud", "quick", "quiet", "rapid", "ready", "rested", "robust", "salty", "serene",
    "sharp", "silent", "silver", "sincere", "smooth", "snug", "sober", "solid", "spry", "stable", "starry",
    "steady", "sturdy", "sunny", "sure", "swift", "tidal", "tidy", "tough", "tranquil", "trusty", "upbeat",
    "vivid", "warm", "wise", "witty", "zesty",
];

/// Navigators, boat builders, and people who looked into the sea or at the stars above it.
const PEOPLE: &[&str] = &[
    "amundsen",
    "anning",
    "arduizur",
    "bandaranaike",
    "baret",
    "battuta",
    "beaufort",
    "bering",
    "blackburn",
    "bly",
    "bougainville",
    "bowditch",
    "cabot",
    "caboto",
    "carson",
    "cassini",
    "catalan",
    "chichester",
    "cook",
    "cousteau",
    "cresques",
    "cunha",
    "darwin",
    "davis",
    "dias",
    "drake",
    "earhart",
    "earle",
    "elcano",
    "erikson",
    "eudoxus",
    "fernandes",
    "finlay",
    "fitzroy",
    "flinders",
    "francis",
    "franklin",
    "frobisher",
    "gama",
    "gatty",
    "gautier",
    "grace",
    "halley",
    "hanno",
    "harrison",
    "heyerdahl",
    "hipparchus",
    "hudson",
    "humboldt",
    "ibarra",
    "isabela",
    "jansz",
    "juanes",
    "knox",
    "kupe",
    "laperouse",
    "lovell",
    "magellan",
    "mahuan",
    "malaspina",
    "marinus",
    "maury",
    "mercator",
    "moitessier",
    "nansen",
    "nearchus",
    "nunes",
    "orellana",
    "papin",
    "peary",
    "piailug",
    "piccard",
    "pytheas",
    "quiros",
    "reis",
    "ricketts",
    "ross",
    "scoresby",
    "shackleton",
    "slocum",
    "somerville",
    "tabarly",
    "tasman",
    "tharp",
    "torres",
    "tupaia",
    "urdaneta",
    "vespucci",
    "vizcaino",
    "vose",
    "walker",
    "wegener",
    "weddell",
    "xuxiake",
    "zacuto",
    "zhenghe",
];

/// A name like `calm_tharp`. `attempt` counts the tries that met a name in use: after a few of them
/// a number is added, as there are ten thousand pairs and somebody may have as many containers.
pub fn random(attempt: u32) -> String {
    // The standard library seeds its hashers anew each time: random enough for names.
    let random = RandomState::new().hash_one(attempt);
    let property = PROPERTIES[(random % PROPERTIES.len() as u64) as usize];
    let person = PEOPLE[((random >> 32) % PEOPLE.len() as u64) as usize];
    match attempt {
        0..5 => format!("{property}_{person}"),
        _ => format!("{property}_{person}{}", (random >> 16) % 1000),
    }
}

/// Whether people may name a container or a volume so: lesson 6's rule, which is Docker's.
pub fn check(kind: &str, name: &str) -> Result<()> {
    if lifecycle::record::is_name(name) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Invalid {kind} name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, from 2 to 255 characters"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_name_is_a_valid_name() {
        for attempt in 0..1000 {
            check("container", &random(attempt)).unwrap();
        }
    }

    #[test]
    fn random_names_differ() {
        let names: std::collections::HashSet<String> = (0..100).map(|_| random(0)).collect();
        assert!(names.len() > 80, "{names:?}");
    }

    #[test]
    fn names_that_could_lead_somewhere_else_are_refused() {
        for name in ["", "a", "-x", ".x", "..", "a/b", "a b", "ñandú", "a\n"] {
            check("container", name).unwrap_err();
        }
        check("container", "web-1.example_2").unwrap();
    }
}
