//! Every transcript of the book is run, and compared with what the machine says: one test a page. Both
//! languages have the same transcripts (the gate sees to that), so that one of them is enough.
#![allow(clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::{env, fs};

use book::Page;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// How this program is called again for one page: a lab is made by a process with a single thread.
const IN_LAB: &str = "--in-lab";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [IN_LAB, page] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return match read(Path::new(page)).run() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                println!("the lab: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let arguments = Arguments::from_args();
    if !arguments.list {
        e2e::sweep::sweep().expect("what a killed run has left can be removed");
    }
    let trials = pages().into_iter().map(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_");
        Trial::ignorable_test(format!("the_machine_says_what_{name}_says"), move || attempt(&path))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// The pages that have transcripts.
fn pages() -> Vec<PathBuf> {
    let folder = book::home().join("en/src");
    let entries = fs::read_dir(&folder).expect("the pages are there");
    let mut pages: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md") && read(path).runs());
    pages.sort();
    pages
}

fn read(path: &Path) -> Page {
    let home = book::home();
    Page::read(home.parent().unwrap_or(&home), path).expect("the page is well-formed")
}

fn attempt(path: &Path) -> Result<Completion, Failed> {
    let page = read(path);
    if let Some(missing) = page.missing() {
        return e2e::need::refuse(missing);
    }
    // All pages' programs, before any page is run: a `cargo run` waits for who builds.
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let build = || pages().iter().try_for_each(|path| read(path).build());
    BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}"))).clone()?;
    let output = Command::new("/proc/self/exe").arg(IN_LAB).arg(path).output()?;
    if output.status.success() {
        return Ok(Completion::Completed);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{}\n{}", path.display(), String::from_utf8_lossy(&said)).into())
}
