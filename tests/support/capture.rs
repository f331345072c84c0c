//! What a child process prints, line by line, while it runs.

use super::poll::PATIENCE;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// Lines from one or more pipes, in the order of their arrival. Clones share the lines.
#[derive(Clone, Default)]
pub struct Capture(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    seen: Vec<String>,
    open_pipes: usize,
}

impl Capture {
    /// Reads the pipe to its end in a thread; each line goes to `self` and `also`. A full pipe would stop the child.
    pub fn follow(&self, pipe: impl Read + Send + 'static, also: &Self) {
        let sinks = [self.clone(), also.clone()];
        sinks.iter().for_each(|sink| sink.lines().open_pipes += 1);
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|size| size > 0) {
                let text = String::from_utf8_lossy(&line);
                sinks.iter().for_each(|sink| sink.update(|lines| lines.seen.push(text.trim_end().to_owned())));
                line.clear();
            }
            sinks.iter().for_each(|sink| sink.update(|lines| lines.open_pipes -= 1));
        });
    }

    /// All lines so far.
    pub fn text(&self) -> String {
        self.lines().seen.iter().map(|line| format!("{line}\n")).collect()
    }

    /// All lines there will ever be: waits until the child and everyone who inherited its pipes have closed them.
    #[track_caller]
    pub fn whole(&self) -> String {
        let (lines, timeout) =
            self.0.1.wait_timeout_while(self.lines(), PATIENCE, |lines| lines.open_pipes > 0).unwrap();
        assert!(!timeout.timed_out(), "the output has no end: {:?}", lines.seen);
        drop(lines);
        self.text()
    }

    /// The first line, past or future, that fits. `None` when the output ends or time runs out without it.
    pub fn wait(&self, fits: impl Fn(&str) -> bool) -> Option<String> {
        let find = |lines: &Lines| lines.seen.iter().find(|line| fits(line)).cloned();
        let unsettled = |lines: &mut Lines| lines.open_pipes > 0 && find(lines).is_none();
        let (lines, _) = self.0.1.wait_timeout_while(self.lines(), PATIENCE, unsettled).unwrap();
        find(&lines)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.0.lock().unwrap()
    }

    fn update(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.lines());
        self.0.1.notify_all();
    }
}
