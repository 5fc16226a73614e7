//! One visit to every page in a real browser, in both languages.
//!
//! With `BOOK_SCREENSHOTS=FOLDER` the pages' pictures are left there, to be looked at.
#![allow(clippy::expect_used)]

mod chromium;
mod visits;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use e2e::need::{self, Need};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use visits::Site;

/// What is looked at.
type Visit = fn(&Site) -> anyhow::Result<()>;

/// The site, built once for all of them; its folder goes with the last one who has it.
type Built = Arc<OnceLock<Result<Site, String>>>;

fn main() -> ExitCode {
    let visits: [(&str, Visit); 5] = [
        ("every_page_fits_every_screen_and_has_no_error", visits::every_page_fits),
        ("the_language_switch_leads_to_the_same_page_and_back", visits::the_switch_leads_there_and_back),
        ("search_finds_words_of_each_language", visits::search_finds_words),
        ("without_javascript_all_the_text_is_there", visits::all_is_there_without_javascript),
        ("a_page_that_is_too_wide_or_broken_is_noticed", visits::a_bad_page_is_noticed),
    ];
    let built = Built::default();
    let trial = |(name, visit): (&str, Visit)| {
        let built = Arc::clone(&built);
        Trial::ignorable_test(name, move || attempt(visit, &built))
    };
    libtest_mimic::run(&Arguments::from_args(), visits.map(trial).into()).exit_code()
}

fn attempt(visit: Visit, built: &Built) -> Result<Completion, Failed> {
    if let Some(missing) = Need::Tool("chromium").missing() {
        return need::refuse(missing);
    }
    let site = built.get_or_init(|| Site::built().map_err(|error| format!("{error:#}")));
    visit(site.as_ref()?).map_err(|error| format!("{error:#}"))?;
    Ok(Completion::Completed)
}
