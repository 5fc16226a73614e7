//! A root file system borrowed from the host's own tools.
//!
//! Nothing to download: programs that the host has are copied to a folder, with the shared
//! libraries that each names. If the host has busybox, that is one file with three hundred names.
//!
//! A program file says by itself what it needs. An [ELF](https://man7.org/linux/man-pages/man5/elf.5.html)
//! file that isn't static has a segment `PT_INTERP` with the path of its *loader*, the program
//! which will fetch the libraries when it starts. So the loader is asked: `ld.so --list PROGRAM`.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use namespaces::{Error, Result, step};

/// A program that was copied, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Borrowed {
    /// Its name in the container's /bin.
    pub name: String,
    /// The host's file.
    pub from: PathBuf,
}

/// What is taken where there is no busybox; whatever of it the host has.
const TOOLS: &str = "\
    sh bash cat ls cp mv rm ln mkdir rmdir touch chmod chown stat df du echo printf test [ true \
    false sleep date env id whoami uname hostname pwd head tail wc sort uniq cut tr tee seq yes dd \
    od grep sed awk find xargs basename dirname readlink realpath mktemp ps kill top free nproc \
    timeout mount umount unshare chroot mknod ip ping ss nc vi less tar gzip sha256sum stty tty";

/// Fills `folder` with a small root file system, and tells what it is made of.
///
/// # Errors
/// When the host has no shell, or the folder can't be written.
pub fn into(folder: &Path) -> Result<Vec<Borrowed>> {
    for name in ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var"] {
        make_folder(&folder.join(name))?;
    }
    for (link, target) in
        [("sbin", "bin"), ("usr/bin", "../bin"), ("usr/sbin", "../bin"), ("var/run", "../run")]
    {
        step("link", link, || symlink(target, folder.join(link)))?;
    }
    for (name, mode) in [("tmp", 0o1777), ("root", 0o700)] {
        set_mode(&folder.join(name), mode)?;
    }
    for (name, content) in [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
        ("etc/os-release", "ID=base\nNAME=base\nPRETTY_NAME=\"base, borrowed from the host by canoa\"\n"),
    ] {
        let path = folder.join(name);
        step("write", path.display(), || fs::write(&path, content))?;
        set_mode(&path, 0o644)?;
    }

    let mut borrowed = vec![];
    if let Some(busybox) = find("busybox") {
        copy_program(&busybox, "busybox", folder)?;
        let program = folder.join("bin/busybox");
        for applet in applets(&busybox)? {
            // One file with many names. A symbolic link would be a file of its own each time, and those of
            // the last container, just removed, make ext4 search long for a place: 80 ms instead of 5.
            let link = folder.join("bin").join(&applet);
            step("link", link.display(), || fs::hard_link(&program, &link))?;
        }
        borrowed.push(Borrowed { name: "busybox".into(), from: busybox });
    } else {
        for name in TOOLS.split_whitespace() {
            if let Some(program) = find(name) {
                copy_program(&program, name, folder)?;
                borrowed.push(Borrowed { name: name.into(), from: program });
            }
        }
    }
    match fs::symlink_metadata(folder.join("bin/sh")) {
        Ok(_) => Ok(borrowed),
        Err(_) => {
            Err(Error::new("borrow", "sh", "this machine has no shell in PATH: install busybox-static"))
        }
    }
}

/// Where the host has a program of this name. (Not by PATH alone: an ordinary user's leaves out
/// /sbin, where `ip` may be.)
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders =
        path.split(':').chain(["/usr/bin", "/bin", "/usr/sbin", "/sbin"]).filter(|f| f.starts_with('/'));
    folders.map(|folder| Path::new(folder).join(name)).find(|path| is_program(path))
}

/// Whether it is an ELF file that can be run: a script would need its interpreter as well.
fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        && fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && &magic == b"\x7fELF"
}

fn applets(busybox: &Path) -> Result<Vec<String>> {
    let output =
        step("ask", busybox.display(), || Command::new(busybox).arg("--list").stdin(Stdio::null()).output())?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let plain = |name: &&str| !name.is_empty() && !name.contains('/') && *name != "busybox";
    Ok(names.lines().filter(plain).map(String::from).collect())
}

/// Copies a program to `bin/NAME`, and what it needs to where the host has it.
fn copy_program(program: &Path, name: &str, folder: &Path) -> Result<()> {
    copy(program, &folder.join("bin").join(name))?;
    let Some(loader) = step("read", program.display(), || loader(program))? else { return Ok(()) };
    for library in libraries(&loader, program)?.into_iter().chain([loader]) {
        let target = folder.join(library.strip_prefix("/").unwrap_or(&library));
        if let Some(parent) = target.parent() {
            make_folder(parent)?;
        }
        copy(&library, &target)?;
    }
    Ok(())
}

/// What the loader would load: lines such as `libc.so.6 => /lib/libc.so.6 (0x7f…)`, or a bare path.
fn libraries(loader: &Path, program: &Path) -> Result<Vec<PathBuf>> {
    let output = step("ask", loader.display(), || {
        Command::new(loader).arg("--list").arg(program).env_remove("LD_PRELOAD").stdin(Stdio::null()).output()
    })?;
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(list
        .lines()
        .map(|line| line.split_once("=>").map_or(line, |(_, path)| path))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|path| path.starts_with('/'))
        .map(PathBuf::from)
        .collect())
}

/// The path in the segment `PT_INTERP`, or `None` for a static program.
fn loader(program: &Path) -> io::Result<Option<PathBuf>> {
    const PT_INTERP: u32 = 3;
    let file = fs::read(program)?;
    let at = |offset: usize, length: usize| -> io::Result<&[u8]> {
        file.get(offset..offset.saturating_add(length))
            .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the ELF file is cut off"))
    };
    // All of ours are little-endian, and so are the numbers in their files. 64-bit files have a 2
    // in the fifth byte, and wider fields.
    let number = |offset: usize, width: usize| -> io::Result<usize> {
        Ok(at(offset, width)?.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    };
    let wide = at(4, 1)? == [2];
    let (headers, size, count) = match wide {
        true => (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?),
        false => (number(0x1c, 4)?, number(0x2a, 2)?, number(0x2c, 2)?),
    };
    for index in 0..count {
        let header = headers.saturating_add(index * size);
        if number(header, 4)? != PT_INTERP as usize {
            continue;
        }
        let (offset, length) = match wide {
            true => (number(header + 0x08, 8)?, number(header + 0x20, 8)?),
            false => (number(header + 0x04, 4)?, number(header + 0x10, 4)?),
        };
        let path = String::from_utf8_lossy(at(offset, length)?).trim_end_matches('\0').to_owned();
        return Ok(Some(path.into()));
    }
    Ok(None)
}

/// Makes a folder and those above it that are missing, each readable for all.
fn make_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    step("make folder", path.display(), || fs::create_dir(path))?;
    set_mode(path, 0o755)
}

/// The mode as it is written here, whatever the umask of whoever calls takes from a new file's.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    step("set mode of", path.display(), || fs::set_permissions(path, fs::Permissions::from_mode(mode)))
}

/// A copy, with the right to run; what is there already stays.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    step("copy", from.display(), || fs::copy(from, to).map(drop))?;
    // Not set-uid, whatever the host's file was (`mount`, `ping`).
    set_mode(to, 0o755)
}
