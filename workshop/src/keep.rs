//! Nothing of the learner's is lost: what a command replaces is put into `.taller/` first.
//!
//! ```text
//! .taller/kept/ex-03-2/3.rs      the third answer that a command has replaced
//! .taller/saved/ex-03-2.rs       what `save` put aside
//! .taller/reference/ex-03-2.rs   the reference, for who has no git history
//! .taller/progress.toml          see `progress`
//! ```
//!
//! Git doesn't look at the folder, and no command of ours removes anything from `kept`.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};

use crate::language::Language;

/// Our folder in the repository.
pub fn folder(home: &Path) -> PathBuf {
    home.join(".taller")
}

/// Puts a replaced answer aside: where it is now. The same text again is kept once.
pub fn answer(home: &Path, id: &str, lines: &str) -> Result<PathBuf> {
    let folder = folder(home).join("kept").join(id);
    let last = answers(home, id).pop();
    if let Some(last) = &last
        && fs::read_to_string(last).is_ok_and(|kept| kept == lines)
    {
        return Ok(last.clone());
    }
    let number = last.as_deref().map_or(0, number) + 1;
    let path = folder.join(format!("{number}.rs"));
    write(&path, lines).map(|()| path)
}

/// All kept answers to an exercise, the newest last.
pub fn answers(home: &Path, id: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(home).join("kept").join(id)).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(|path| number(path) > 0).collect();
    paths.sort_by_key(|path| number(path));
    paths
}

fn number(path: &Path) -> u32 {
    path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(0)
}

/// Writes a file as a whole or not at all: beside it first, then exchanged.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let doing = || format!("writing {}", path.display());
    fs::create_dir_all(folder).with_context(doing)?;
    let draft = folder.join(format!(".taller-draft-{}", std::process::id()));
    let written = fs::File::create(&draft).and_then(|mut file| {
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        // Only what is on the disk may replace what was there.
        file.sync_all()?;
        fs::rename(&draft, path)
    });
    written
        .inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })
        .with_context(doing)
}

/// What to do, if the reason of an error is that a disk, or a share of one, is full.
pub fn no_space(language: Language, error: &Error) -> Option<&'static str> {
    let full =
        |kind| matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge);
    let reasons = error.chain().filter_map(|reason| reason.downcast_ref::<io::Error>());
    reasons.map(io::Error::kind).any(full).then(|| {
        language.pick(
            "There is no room left for the file: it is as it was before. Make room (\"df -h .\" shows how much there \
             is, \"cargo clean\" gives back most), and say it again.",
            "No queda lugar para el archivo: está como antes. Libera espacio («df -h .» muestra cuánto hay; «cargo \
             clean» devuelve la mayor parte) y repite el comando.",
        )
    })
}
