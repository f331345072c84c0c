//! The built program as a process: for what only a process has, which is signals, exit codes and logs. Everything else is
//! tested faster inside the test.

use super::capture::Capture;
use super::poll::{self, PATIENCE};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use std::ffi::OsStr;
use std::process::{Child, Command, ExitStatus, Stdio};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_porteur");

/// A running process; killed when dropped.
pub struct Daemon {
    child: Child,
    stdout: Capture,
    stderr: Capture,
    both: Capture,
}

/// How a process ended and what it said.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program to its end, which must come in time.
#[track_caller]
pub fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Finished {
    Daemon::spawn(args).finish()
}

impl Daemon {
    pub fn spawn<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::of(Command::new(PROGRAM).args(args))
    }

    /// Any command, for instance [`PROGRAM`] with an environment. Its stdin is empty.
    pub fn of(command: &mut Command) -> Self {
        Self::with_stdin(command.stdin(Stdio::null()))
    }

    /// The same with the stdin that the command has.
    pub fn with_stdin(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let [stdout, stderr, both] = [(); 3].map(|()| Capture::default());
        stdout.follow(child.stdout.take().unwrap(), &both);
        stderr.follow(child.stderr.take().unwrap(), &both);
        Self { child, stdout, stderr, both }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it open nothing more while this runs; what is open stays so.
    pub fn without_descriptors(&self, then: impl FnOnce()) {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = |current| {
            prlimit(Pid::from_raw(self.pid().cast_signed()), Resource::Nofile, Rlimit { current, maximum }).unwrap()
        };
        let before = limit(Some(3)).current;
        then();
        limit(before);
    }

    /// What has been printed to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What has been printed to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// What has been printed so far, to either.
    pub fn output(&self) -> String {
        self.both.text()
    }

    /// The first line of stdout or stderr, past or future, that fits.
    #[track_caller]
    pub fn wait_for_line(&self, fits: impl Fn(&str) -> bool) -> String {
        self.both.wait(fits).unwrap_or_else(|| panic!("the line did not come. Output:\n{}", self.output()))
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process takes a signal");
    }

    /// SIGTERM: drain and exit.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Whether the process has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        poll::some(PATIENCE, "the end of the process", || self.child.try_wait().unwrap())
    }

    /// Waits for the end of the process and of its output.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        Finished { status: self.wait(), stdout: self.stdout.whole(), stderr: self.stderr.whole() }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
