//! No reader of stderr holds guard up.

use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::AsFd;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use rstest::rstest;

use super::World;

/// A pipe that is full, and whose reader does not read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let set = |flags| fcntl(writer.as_fd(), FcntlArg::F_SETFL(flags)).unwrap();
    set(OFlag::O_NONBLOCK);
    while (&writer).write(&[b'.'; 4096]).is_ok() {}
    while (&writer).write(b".").is_ok() {}
    set(OFlag::empty());
    writer.flush().unwrap();
    (reader, writer)
}

#[rstest]
#[case::notes_alone(&[])]
#[case::every_detail(&["-vv"])]
fn a_reader_that_does_not_read_holds_up_nothing(#[case] verbose: &[&str]) {
    let world = World::new();
    let (_reader, writer) = full_pipe();
    let arguments = [&["guard", "--every", "0.1"], verbose, &["--", "sleep", "600"]].concat();
    let mut command = world.home.machins(&arguments);
    let mut guard = command.stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    // The command holds the writing end, too.
    drop(command);
    world.wait_until(|| world.validations() >= 5);
    world.revoke();
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(guard.wait().unwrap()));
    let status = ended.recv_timeout(super::PATIENCE).expect("the guard ends");
    assert_eq!(status.code(), Some(3));
}
