//! Layers by authors with bad intentions, and what is found on disk afterwards.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;

use images::Error;
use images::ownership::{Ownership, Rights};
use images::unpack::unpack;
use tar::EntryType::{self, Block, Char, Directory, Fifo, Link, Regular, Symlink};
use tempfile::TempDir;

fn main() -> ExitCode {
    support::run(&[
        (
            "the_attack_plain_tar_writes_where_the_archive_says",
            the_attack_plain_tar_writes_where_the_archive_says,
        ),
        ("names_of_any_bytes_and_any_length_are_kept", names_of_any_bytes_and_any_length_are_kept),
        ("what_unpacks_to_more_than_the_limit_is_refused", what_unpacks_to_more_than_the_limit_is_refused),
        (
            "attributes_that_would_fill_the_memory_are_refused",
            attributes_that_would_fill_the_memory_are_refused,
        ),
        ("sparse_and_unknown_entries_are_refused_by_name", sparse_and_unknown_entries_are_refused_by_name),
        ("the_attack_a_path_with_dots_does_not_lead_out", the_attack_a_path_with_dots_does_not_lead_out),
        ("the_attack_an_absolute_path_is_one_inside", the_attack_an_absolute_path_is_one_inside),
        (
            "the_attack_writing_through_a_symbolic_link_stays_inside",
            the_attack_writing_through_a_symbolic_link_stays_inside,
        ),
        (
            "the_attack_a_hard_link_to_a_file_outside_is_refused",
            the_attack_a_hard_link_to_a_file_outside_is_refused,
        ),
        (
            "a_hard_link_is_one_more_name_of_a_file_of_the_layer",
            a_hard_link_is_one_more_name_of_a_file_of_the_layer,
        ),
        (
            "the_attack_a_whiteout_through_a_link_stays_inside",
            the_attack_a_whiteout_through_a_link_stays_inside,
        ),
        (
            "the_attack_replacing_a_folder_by_a_link_does_not_change_what_it_leads_to",
            the_attack_replacing_a_folder_by_a_link_does_not_change_what_it_leads_to,
        ),
        ("the_attack_folders_without_end_are_refused", the_attack_folders_without_end_are_refused),
        ("a_whiteout_of_no_name_is_refused", a_whiteout_of_no_name_is_refused),
        ("a_whiteout_is_a_device_of_the_hidden_name", a_whiteout_is_a_device_of_the_hidden_name),
        ("a_whiteout_hides_lower_layers_and_never_its_own", a_whiteout_hides_lower_layers_and_never_its_own),
        ("an_entry_that_comes_twice_is_the_later_one", an_entry_that_comes_twice_is_the_later_one),
        ("modes_and_times_are_kept_whatever_the_umask", modes_and_times_are_kept_whatever_the_umask),
        (
            "owner_setuid_and_capabilities_are_kept_where_they_can_be",
            owner_setuid_and_capabilities_are_kept_where_they_can_be,
        ),
        ("devices_are_made_for_root_only", devices_are_made_for_root_only),
        (
            "attributes_of_the_overlay_itself_are_not_taken_from_an_image",
            attributes_of_the_overlay_itself_are_not_taken_from_an_image,
        ),
    ])
}

/// An archive under construction. Paths go into the header as they are, which no decent library
/// would do.
struct Layer(tar::Builder<Vec<u8>>);

impl Layer {
    fn new() -> Layer {
        Layer(tar::Builder::new(Vec::new()))
    }

    fn entry(self, kind: EntryType, path: &str, target: &str) -> Layer {
        self.with(kind, path, target, b"hostile", |_| {})
    }

    fn with(
        mut self,
        kind: EntryType,
        path: &str,
        target: &str,
        content: &[u8],
        set: impl FnOnce(&mut tar::Header),
    ) -> Layer {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(if kind == Regular { content.len() as u64 } else { 0 });
        set(&mut header);
        header.set_cksum();
        self.0.append(&header, if kind == Regular { content } else { b"" }).unwrap();
        self
    }

    fn xattr(mut self, name: &str, value: &[u8]) -> Layer {
        self.0.append_pax_extensions([(format!("SCHILY.xattr.{name}").as_str(), value)]).unwrap();
        self
    }

    /// Unpacks into `outside/root`, beside which a file lies in wait.
    fn unpack(self) -> (Outside, Result<u64, Error>) {
        let outside = Outside::new();
        let archive = self.0.into_inner().unwrap();
        let result = unpack(&archive[..], &outside.root(), "test", Rights::detect());
        (outside, result)
    }
}

/// A folder with a layer's folder in it, and a victim.
struct Outside(TempDir);

impl Outside {
    fn new() -> Outside {
        let outside = Outside(TempDir::new().unwrap());
        fs::create_dir(outside.root()).unwrap();
        fs::create_dir(outside.path("folder")).unwrap();
        fs::write(outside.path("folder/victim"), "untouched").unwrap();
        outside
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn root(&self) -> std::path::PathBuf {
        self.path("root")
    }

    fn in_root(&self, name: &str) -> std::path::PathBuf {
        self.root().join(name)
    }

    fn is_untouched(&self) {
        let mut names: Vec<_> =
            fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["folder", "root"]);
        assert_eq!(fs::read_dir(self.path("folder")).unwrap().count(), 1);
        let victim = fs::metadata(self.path("folder/victim")).unwrap();
        assert_eq!((victim.nlink(), victim.len()), (1, 9));
    }
}

/// What careless extraction does with such layers, as whoever runs it; and what ours does.
fn the_attack_plain_tar_writes_where_the_archive_says() {
    type Make = fn() -> Layer;
    let layers: [(&str, Make); 3] = [
        ("by ..", || Layer::new().entry(Regular, "../folder/victim", "")),
        ("by a link", || Layer::new().entry(Symlink, "link", "../folder").entry(Regular, "link/victim", "")),
        ("by a hard link", || Layer::new().entry(Link, "evil", "../folder/victim")),
    ];
    for (way, layer) in layers {
        let outside = Outside::new();
        let archive = outside.root().with_extension("tar");
        fs::write(&archive, layer().0.into_inner().unwrap()).unwrap();
        let mut tar = std::process::Command::new("tar");
        // -P: what stands in the archive is done.
        tar.args(["-xP", "--overwrite", "--no-same-owner", "-f"]).arg(&archive).arg("-C").arg(outside.root());
        assert!(tar.status().unwrap().success(), "{way}");
        let victim = outside.path("folder/victim");
        let written = fs::read(&victim).unwrap() == b"hostile" || fs::metadata(&victim).unwrap().nlink() == 2;
        assert!(written, "{way}: tar should have reached the victim");

        let (outside, _) = layer().unpack();
        outside.is_untouched();
    }
}

fn names_of_any_bytes_and_any_length_are_kept() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe \x01\nname");
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(255));
    let mut layer = Layer::new();
    // By a PAX entry, and by GNU's.
    let pax = [b"pax-".as_slice(), odd.as_bytes()].concat();
    layer.0.append_pax_extensions([("path", pax.as_slice())]).unwrap();
    let mut layer = layer.entry(Regular, "placeholder", "");
    let mut header = tar::Header::new_gnu();
    for name in [Path::new(odd), Path::new(&long)] {
        header.set_mode(0o644);
        header.set_size(0);
        layer.0.append_data(&mut header, name, std::io::empty()).unwrap();
    }
    let (outside, result) = layer.unpack();
    result.unwrap();
    for path in [Path::new(std::ffi::OsStr::from_bytes(&pax)), Path::new(odd), Path::new(&long)] {
        assert!(outside.root().join(path).exists(), "{path:?}");
    }
    assert!(!outside.in_root("placeholder").exists());
    // One that no file system takes is an error that names it, on one line.
    let mut layer = Layer::new();
    layer.0.append_pax_extensions([("path", "x\n".repeat(200).as_bytes())]).unwrap();
    let (_, result) = layer.entry(Regular, "placeholder", "").unpack();
    let error = result.unwrap_err().to_string();
    assert!(error.contains("x x x") && error.lines().count() == 1, "{error}");
}

fn what_unpacks_to_more_than_the_limit_is_refused() {
    use std::io::Write;
    // 64 MB of zeros in 64 KB, by both methods.
    let archive = Layer::new().with(Regular, "zeros", "", &vec![0; 64 << 20], |_| {}).0.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive).unwrap();
    for bomb in [gzip.finish().unwrap(), zstd::encode_all(&archive[..], 1).unwrap()] {
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        let outside = Outside::new();
        let plain = images::compression::decompress(&bomb[..]).unwrap();
        let limited = images::compression::Limited::new(plain, 1 << 20);
        let error = unpack(limited, &outside.root(), "test", Rights::detect()).unwrap_err();
        assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
        assert!(fs::metadata(outside.in_root("zeros")).unwrap().len() <= 1 << 20);
    }
}

fn attributes_that_would_fill_the_memory_are_refused() {
    let mut layer = Layer::new();
    let value = vec![7; 1_000_000];
    for number in 0..70 {
        layer = layer.xattr("user.large", &value).entry(Directory, &format!("d{number}"), "");
    }
    let (outside, result) = layer.unpack();
    assert!(
        matches!(&result, Err(Error::Layer { reason, .. }) if reason.contains("attributes")),
        "{result:?}"
    );
    outside.is_untouched();
}

fn sparse_and_unknown_entries_are_refused_by_name() {
    for kind in [b'S', b'V', b'M', 0xff] {
        let (outside, result) = Layer::new().entry(EntryType::new(kind), "odd", "").unpack();
        assert!(matches!(&result, Err(Error::Layer { .. })), "{kind}: {result:?}");
        outside.is_untouched();
    }
}

fn the_attack_a_path_with_dots_does_not_lead_out() {
    for path in ["../evil", "a/../../evil", "../folder/victim", "..", "a/.."] {
        for kind in [Regular, Directory, Symlink, Fifo] {
            let (outside, result) = Layer::new().entry(kind, path, "x").unpack();
            assert!(matches!(result, Err(Error::Layer { .. })), "{path} {kind:?}: {result:?}");
            outside.is_untouched();
        }
    }
}

fn the_attack_an_absolute_path_is_one_inside() {
    let mark = format!("/canoa-evil-{}", std::process::id());
    let (outside, result) = Layer::new().entry(Regular, &mark, "").unpack();
    result.unwrap();
    assert!(!Path::new(&mark).exists());
    assert!(outside.in_root(&mark[1..]).exists());
}

fn the_attack_writing_through_a_symbolic_link_stays_inside() {
    // Where each link leads, when `/` and `..` mean the layer's folder.
    for target in ["../folder", "../../../../../../../../tmp", "/"] {
        let (outside, result) = Layer::new()
            .entry(Directory, "folder", "")
            .entry(Directory, "tmp", "")
            .entry(Symlink, "link", target)
            .entry(Regular, "link/victim", "")
            .entry(Directory, "link/new", "")
            .unpack();
        result.unwrap();
        outside.is_untouched();
        assert!(!Path::new("/tmp/victim").exists());
        let inside = ["folder/victim", "tmp/victim", "victim"];
        assert_eq!(inside.iter().filter(|path| outside.in_root(path).exists()).count(), 1, "{target}");
    }
    // A file entry where a link is replaces the link, and does not write through it.
    let (outside, result) =
        Layer::new().entry(Symlink, "link", "../folder/victim").entry(Regular, "link", "").unpack();
    result.unwrap();
    outside.is_untouched();
    assert!(fs::symlink_metadata(outside.in_root("link")).unwrap().is_file());
    // Links under /proc name open files of this very process.
    let (outside, result) =
        Layer::new().entry(Symlink, "link", "/proc/self/cwd").entry(Regular, "link/evil", "").unpack();
    assert!(result.is_err());
    outside.is_untouched();
}

fn the_attack_a_hard_link_to_a_file_outside_is_refused() {
    for target in ["../folder/victim", "/etc/passwd", "nowhere", "link/victim", "link", "/", ""] {
        let (outside, result) =
            Layer::new().entry(Symlink, "link", "../folder").entry(Link, "evil", target).unpack();
        let victim = fs::metadata(outside.path("folder/victim")).unwrap();
        assert_eq!(
            victim.nlink(),
            1,
            "ex-04-5: the target {target:?} led out: a file outside has one more name now"
        );
        outside.is_untouched();
        match target {
            // One more name of the link itself.
            "link" => {
                let made = fs::symlink_metadata(outside.in_root("evil"));
                let itself = made.as_ref().is_ok_and(|made| made.is_symlink());
                assert!(itself, "ex-04-5: a hard link to a symbolic link is that link itself: {result:?}");
            }
            _ => assert!(
                matches!(result, Err(Error::Layer { .. })),
                "ex-04-5: the target {target:?} isn't in this layer; found: {result:?}"
            ),
        }
    }
}

fn a_hard_link_is_one_more_name_of_a_file_of_the_layer() {
    // The target is a path in the archive: its first slash means nothing, and links on the way are inside.
    for target in ["d/file", "/d/file", "./d/file", "link/file"] {
        let (outside, result) = Layer::new()
            .entry(Directory, "d", "")
            .entry(Regular, "d/file", "")
            .entry(Symlink, "link", "/d")
            .entry(Link, "other", target)
            .unpack();
        assert!(result.is_ok(), "ex-04-5: {target:?}: {result:?}");
        let inode = |name: &str| fs::metadata(outside.in_root(name)).unwrap().ino();
        assert_eq!(inode("other"), inode("d/file"), "ex-04-5: {target:?}: both names are one file");
    }
    let (_, result) = Layer::new().entry(Directory, "d", "").entry(Link, "other", "d").unpack();
    let refused = matches!(&result, Err(Error::Layer { reason, .. }) if reason.contains("folder"));
    assert!(refused, "ex-04-5: a hard link to a folder is an error that says so; found: {result:?}");
}

fn the_attack_a_whiteout_through_a_link_stays_inside() {
    for whiteout in ["link/.wh.victim", "link/.wh..wh..opq"] {
        let (outside, result) = Layer::new()
            .entry(Directory, "folder", "")
            .entry(Symlink, "link", "../folder")
            .entry(Regular, whiteout, "")
            .unpack();
        result.unwrap();
        outside.is_untouched();
    }
}

fn the_attack_replacing_a_folder_by_a_link_does_not_change_what_it_leads_to() {
    let outside = Outside::new();
    let before = fs::metadata(outside.path("folder")).unwrap();
    let archive = Layer::new()
        .with(Directory, "d", "", b"", |header| header.set_mode(0o777))
        .entry(Symlink, "d", "../folder")
        .0
        .into_inner()
        .unwrap();
    unpack(&archive[..], &outside.root(), "test", Rights::detect()).unwrap();
    let after = fs::metadata(outside.path("folder")).unwrap();
    assert_eq!((before.mode(), before.mtime()), (after.mode(), after.mtime()));
}

fn the_attack_folders_without_end_are_refused() {
    // Each round begins where the last one ended, by a link whose own path is short.
    let mut layer = Layer::new();
    let deep = "d/".repeat(45);
    for round in 0..10 {
        let (from, link) = (format!("l{round}"), format!("l{}", round + 1));
        let below = if round == 0 { deep.clone() } else { format!("{from}/{deep}") };
        layer = layer.entry(Directory, &below, "").entry(Symlink, &link, below.trim_end_matches('/'));
    }
    let (outside, result) = layer.unpack();
    assert!(matches!(&result, Err(Error::Layer { reason, .. }) if reason.contains("deep")), "{result:?}");
    fs::remove_dir_all(outside.root()).unwrap();
}

fn a_whiteout_of_no_name_is_refused() {
    for path in [".wh.", ".wh..", ".wh...", "d/.wh..."] {
        let (outside, result) = Layer::new().entry(Regular, path, "").unpack();
        assert!(matches!(result, Err(Error::Layer { .. })), "{path}: {result:?}");
        outside.is_untouched();
    }
}

/// Whether it is a character device 0/0, which an overlay takes for nothing.
fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|made| made.file_type().is_char_device() && made.rdev() == 0)
}

/// In a user namespace nobody may set the first.
fn is_opaque(path: &Path) -> bool {
    ["trusted", "user"]
        .iter()
        .any(|kind| xattr(path, &format!("{kind}.overlay.opaque")).as_deref() == Some(b"y"))
}

fn a_whiteout_is_a_device_of_the_hidden_name() {
    let (outside, result) = Layer::new()
        .entry(Directory, "d", "")
        .entry(Regular, "d/.wh.gone", "")
        .entry(Directory, "empty", "")
        .entry(Regular, "empty/.wh..wh..opq", "")
        .entry(Regular, ".wh..wh.plnk", "")
        .unpack();
    assert!(result.is_ok(), "ex-04-4: {result:?}");
    assert!(is_whiteout(&outside.in_root("d/gone")), "ex-04-4: d/gone should be a character device 0/0");
    assert!(is_opaque(&outside.in_root("empty")), "ex-04-4: the folder of .wh..wh..opq should be opaque");
    assert!(!is_opaque(&outside.in_root("d")), "ex-04-4: a folder in which one name is hidden isn't opaque");
    let mut names: Vec<_> =
        fs::read_dir(outside.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["d", "empty"], "ex-04-4: nothing whose name begins with .wh. is made");
}

fn a_whiteout_hides_lower_layers_and_never_its_own() {
    for first in [true, false] {
        let whiteouts = |layer: Layer| layer.entry(Regular, ".wh.file", "").entry(Regular, ".wh.folder", "");
        let mut layer = Layer::new();
        if first {
            layer = whiteouts(layer);
        }
        layer =
            layer.entry(Regular, "file", "").entry(Directory, "folder", "").entry(Regular, "folder/new", "");
        if !first {
            layer = whiteouts(layer);
        }
        let (outside, result) = layer.unpack();
        assert!(result.is_ok(), "ex-04-4: {result:?}");
        let order = if first { "before it" } else { "after it" };
        for kept in ["file", "folder/new"] {
            let there = fs::read(outside.in_root(kept)).is_ok_and(|bytes| bytes == b"hostile");
            assert!(
                there,
                "ex-04-4: {kept} is this layer's own: a whiteout of its name, {order} in the archive, leaves it"
            );
        }
        let opaque = is_opaque(&outside.in_root("folder"));
        assert!(
            opaque,
            "ex-04-4: folder, with its whiteout {order}, replaces the lower one: it should be opaque"
        );
    }
}

fn an_entry_that_comes_twice_is_the_later_one() {
    let (outside, result) = Layer::new()
        .entry(Directory, "a", "")
        .entry(Regular, "a/b", "")
        .entry(Regular, "a", "")
        .entry(Regular, "b", "")
        .entry(Directory, "b", "")
        .entry(Fifo, "c", "")
        .entry(Symlink, "c", "x")
        .unpack();
    result.unwrap();
    assert!(fs::metadata(outside.in_root("a")).unwrap().is_file());
    assert!(fs::metadata(outside.in_root("b")).unwrap().is_dir());
    assert!(fs::symlink_metadata(outside.in_root("c")).unwrap().is_symlink());
}

fn modes_and_times_are_kept_whatever_the_umask() {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let (outside, result) = Layer::new()
        .with(Directory, "d", "", b"", |header| header.set_mode(0o1777))
        .with(Regular, "d/f", "", b"x", |header| header.set_mode(0o666))
        .with(Directory, "closed", "", b"", |header| header.set_mode(0o500))
        .entry(Regular, "closed/f", "")
        .with(Fifo, "pipe", "", b"", |header| header.set_mode(0o622))
        .entry(Symlink, "link", "nowhere")
        .entry(Regular, "implied/f", "")
        .unpack();
    result.unwrap();
    for (path, mode) in
        [("d", 0o1777), ("d/f", 0o666), ("closed", 0o500), ("pipe", 0o622), ("implied", 0o755), ("", 0o755)]
    {
        assert_eq!(fs::metadata(outside.in_root(path)).unwrap().mode() & 0o7777, mode, "{path}");
    }
    // Folders as well, though something was put into them after them.
    for path in ["d", "d/f", "closed", "pipe", "link"] {
        assert_eq!(fs::symlink_metadata(outside.in_root(path)).unwrap().mtime(), 1_000_000_000, "{path}");
    }
}

fn owner_setuid_and_capabilities_are_kept_where_they_can_be() {
    // cap_net_raw=ep, version 2.
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let own = |header: &mut tar::Header| {
        header.set_mode(0o6755);
        header.set_uid(1234);
        header.set_gid(5678);
    };
    let (outside, result) = Layer::new()
        .xattr("security.capability", &capability)
        .with(Regular, "f", "", b"x", own)
        .with(Symlink, "link", "nowhere", b"", own)
        .unpack();
    result.unwrap();
    let file = fs::metadata(outside.in_root("f")).unwrap();
    assert_eq!(file.mode() & 0o7777, 0o6755);
    let link = fs::symlink_metadata(outside.in_root("link")).unwrap();
    if Rights::detect().ownership == Ownership::Kept {
        assert_eq!((file.uid(), file.gid()), (1234, 5678));
        assert_eq!((link.uid(), link.gid()), (1234, 5678));
        assert_eq!(xattr(&outside.in_root("f"), "security.capability").as_deref(), Some(&capability[..]));
    } else {
        assert_eq!((file.uid(), file.gid()), (0, 0));
    }
}

fn devices_are_made_for_root_only() {
    let numbers = |header: &mut tar::Header| {
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
    };
    let (outside, result) = Layer::new()
        .with(Char, "null", "", b"", numbers)
        .with(Block, "block", "", b"", numbers)
        .entry(Regular, "after", "")
        .unpack();
    result.unwrap();
    assert!(outside.in_root("after").exists());
    if Rights::detect().devices {
        let null = fs::metadata(outside.in_root("null")).unwrap();
        assert!(null.file_type().is_char_device());
        assert_eq!((null.rdev(), null.permissions().mode() & 0o7777), (libc::makedev(1, 3), 0o755));
        assert!(fs::metadata(outside.in_root("block")).unwrap().file_type().is_block_device());
    } else {
        assert!(!outside.in_root("null").exists());
    }
}

fn attributes_of_the_overlay_itself_are_not_taken_from_an_image() {
    let (outside, result) = Layer::new()
        .xattr("trusted.overlay.redirect", b"/etc")
        .entry(Directory, "one", "")
        .xattr("user.overlay.opaque", b"y")
        .entry(Directory, "two", "")
        .xattr("user.kept", b"\n\0")
        .entry(Directory, "three", "")
        .unpack();
    result.unwrap();
    assert_eq!(xattr(&outside.in_root("one"), "trusted.overlay.redirect"), None);
    assert_eq!(xattr(&outside.in_root("two"), "user.overlay.opaque"), None);
    assert_eq!(xattr(&outside.in_root("three"), "user.kept").as_deref(), Some(&b"\n\0"[..]));
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let text = |text: &[u8]| std::ffi::CString::new(text).unwrap();
    let (path, name) = (text(path.as_os_str().as_encoded_bytes()), text(name.as_bytes()));
    let mut value = vec![0_u8; 4096];
    // SAFETY: both strings end in NUL, and the buffer has the size that is given.
    let length =
        unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    value.truncate(usize::try_from(length).ok()?);
    Some(value)
}
