//! The keeper: parent of the command, and watchdog over it and over the caller.
//!
//! It has one thread, and waits for whatever comes first: a message of the caller or the caller's end,
//! a child that ended or stopped, a moment at which something is due.

use std::collections::HashSet;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getppid, kill_process, kill_process_group,
    setpriority_process, wait,
};
use signal_hook::consts::{SIGCHLD, SIGCONT};

use super::channel::Channel;
use super::ending::{Due, Ending};
use super::errno::errno;
use super::heartbeat::{Heartbeat, WAKE};
use super::launch::{Launch, launch};
use super::members::Members;
use super::message::{Failure, FromKeeper, FromLauncher, Step, ToKeeper};
use super::remaining::Remaining;
use super::signals::block_signals;
use crate::containment::Containment;
use crate::event::{Cause, Survivor, SurvivorReason};

/// How many children are asked for before the caller is heard again.
const MAX_REAPED: u32 = 10_000;

/// Runs as a keeper. `caller` is `None` in a PID namespace, from which it can't be seen.
pub(super) fn run(caller: Option<Pid>) {
    let Ok(mut channel) = Channel::from_stdin() else { return };
    let prepared = prepare(caller).and_then(|(wakes, mask)| {
        let launch = launch(&mut channel, &mask, caller.is_none())?;
        Ok((wakes, launch))
    });
    match prepared {
        Ok((wakes, Some(launch))) => Keeper::new(channel, caller, wakes, launch).run(),
        // The caller has ended already.
        Ok((_, None)) => {}
        Err(failure) => drop(channel.send(&FromKeeper::Failed(failure))),
    }
}

/// Has this process survive whatever signals are sent to its group or its terminal, and be woken when
/// a child or the caller ends. Also returns the signal mask for the command.
fn prepare(caller: Option<Pid>) -> Result<(UnixStream, SigSet), Failure> {
    let failed = |error: io::Error| Failure::Setup { step: Step::Keeper, errno: errno(&error) };
    let (wakes, signals) = UnixStream::pair().map_err(failed)?;
    wakes.set_nonblocking(true).map_err(failed)?;
    // SIGCHLD also where the caller ignores it: the system would not tell how children ended.
    for signal in [SIGCHLD, SIGCONT] {
        let signals = signals.try_clone().map_err(failed)?;
        signal_hook::low_level::pipe::register(signal, signals).map_err(failed)?;
    }
    let mask = block_signals().map_err(failed)?;
    #[cfg(target_os = "linux")]
    {
        super::linux::forbid_tracing();
        super::linux::adopt_orphans().map_err(failed)?;
        if caller.is_some() {
            super::linux::survive_stops();
        } else {
            // Its parent is the helper yet, whose end is to let nothing go on.
            super::linux::namespace::mount_proc()
                .map_err(|error| Failure::unavailable(Containment::PidNamespace, &error))?;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = caller;
    Ok((wakes, mask))
}

struct Keeper {
    channel: Channel,
    /// Until its end has been seen.
    caller_lives: bool,
    caller: Option<Pid>,
    wakes: UnixStream,
    /// Until the command has been executed.
    launcher: Option<Launcher>,
    containment: Containment,
    /// Until it has ended.
    command: Option<Pid>,
    members: Members,
    heartbeat: Option<Heartbeat>,
    leftover_grace: Duration,
    stopped: bool,
    /// More children may have ended than have been asked for.
    is_behind: bool,
    ending: Option<Ending>,
    reported: HashSet<Survivor>,
}

struct Launcher {
    channel: Channel,
    /// It has said that all is ready.
    executing: bool,
}

/// Kills a command and its group, without a look at `/proc`.
pub(super) fn kill_unseen(command: Pid) {
    // One that has left its group is ended all the same, and one that has ended may have left a group.
    let _ = kill_process_group(command, Signal::KILL);
    let _ = kill_process(command, Signal::KILL);
}

/// The keeper's work is over.
struct Finished;

impl Keeper {
    fn new(channel: Channel, caller: Option<Pid>, wakes: UnixStream, launch: Launch) -> Self {
        let now = Instant::now();
        Self {
            channel,
            caller_lives: true,
            caller,
            wakes,
            launcher: Some(Launcher { channel: launch.launcher, executing: false }),
            containment: launch.containment,
            command: Some(launch.pid),
            members: launch.members,
            heartbeat: launch.heartbeat.map(|limit| Heartbeat::new(limit, now)),
            leftover_grace: launch.leftover_grace,
            stopped: false,
            is_behind: false,
            ending: None,
            reported: HashSet::new(),
        }
    }

    fn run(mut self) {
        while self.turn().is_none() {
            self.sleep();
        }
    }

    /// Everything that can be done now.
    fn turn(&mut self) -> Option<Finished> {
        // Before the silence is judged, the caller is heard.
        if let Some(heartbeat) = self.heartbeat.as_mut().filter(|_| !self.stopped) {
            heartbeat.wake(Instant::now());
        }
        self.hear_caller();
        if self.heartbeat.as_ref().is_some_and(Heartbeat::is_missed) && !self.stopped {
            self.end(Cause::HeartbeatMissed, Duration::ZERO);
        }
        if self.launcher.is_some()
            && let Some(failure) = self.hear_launcher()
        {
            return Some(self.fail(failure));
        }
        // A command that was executed and ended at once is reported in that order.
        if self.launcher.is_none() && self.reap() {
            return Some(self.finish());
        }
        if self.stopped {
            // Somebody may have let a process go on.
            self.members.stop();
        }
        if self.proceed() {
            if self.reap() {
                return Some(self.finish());
            }
            if self.ending.as_ref().is_some_and(Ending::has_killed) && Members::are_hidden() {
                return Some(self.give_up());
            }
        }
        None
    }

    fn sleep(&mut self) {
        let now = Instant::now();
        let tick = (self.heartbeat.is_some() || self.stopped).then_some(WAKE);
        let due = self.ending.as_ref().map(|ending| ending.next().saturating_duration_since(now));
        let behind = std::mem::take(&mut self.is_behind).then_some(Duration::ZERO);
        let timeout = tick.into_iter().chain(due).chain(behind).min();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());

        let mut descriptors = vec![PollFd::new(&self.wakes, PollFlags::IN)];
        if self.caller_lives {
            let sending =
                if self.channel.has_unsent() { PollFlags::OUT } else { PollFlags::empty() };
            descriptors.push(PollFd::new(&self.channel, PollFlags::IN | sending));
        }
        if let Some(launcher) = &self.launcher {
            descriptors.push(PollFd::new(&launcher.channel, PollFlags::IN));
        }
        // Interrupted or not: all is looked at again.
        let _ = poll(&mut descriptors, timeout.as_ref());
        let mut buffer = [0; 256];
        while (&self.wakes).read(&mut buffer).is_ok_and(|read| read == buffer.len()) {}
    }

    fn hear_caller(&mut self) {
        if !self.caller_lives {
            return;
        }
        let heard = self.channel.fill(&mut Vec::new());
        let mut lives = heard.is_ok_and(|lives| lives);
        loop {
            match self.channel.next() {
                Ok(Some(message)) => self.obey(&message),
                Ok(None) => break,
                Err(_) => {
                    lives = false;
                    break;
                }
            }
        }
        lives &= self.channel.flush().is_ok();
        // The connection may be held open by a process that the caller has started.
        lives &= self.caller.is_none_or(|caller| getppid() == Some(caller));
        if !lives {
            self.caller_lives = false;
            self.end(Cause::Requested, Duration::ZERO);
        }
    }

    fn obey(&mut self, message: &ToKeeper) {
        match *message {
            ToKeeper::Go | ToKeeper::Beat => {}
            ToKeeper::Signal { signal, recipients } => {
                if let Some(signal) = Signal::from_named_raw(signal) {
                    self.members.signal(self.command, recipients, signal);
                }
            }
            // The turn that this message is heard in stops all.
            ToKeeper::Stop => self.stopped = self.ending.is_none(),
            ToKeeper::Resume => self.resume(),
            ToKeeper::Terminate { grace } => self.end(Cause::Requested, grace),
            ToKeeper::Kill => self.end(Cause::Requested, Duration::ZERO),
        }
        // Whatever the message was, the caller has been heard.
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.beat();
        }
    }

    fn resume(&mut self) {
        if self.stopped {
            self.stopped = false;
            self.members.resume();
        }
    }

    /// Decides that the job ends. An end that has begun is only hurried.
    fn end(&mut self, cause: Cause, grace: Duration) {
        self.stopped = false;
        // What it has to say no longer matters.
        self.launcher = None;
        let now = Instant::now();
        match &mut self.ending {
            Some(ending) => ending.hurry(grace, now),
            none => {
                *none = Some(Ending::new(cause, grace, now));
                // A job that keeps every core busy is not to put off its own end. Needs a privilege.
                let _ = setpriority_process(None, -20);
            }
        }
    }

    /// Learns whether the command has been executed. Returns why not if it can't be.
    fn hear_launcher(&mut self) -> Option<Failure> {
        let launcher = self.launcher.as_mut()?;
        let open = launcher.channel.fill(&mut Vec::new()).is_ok_and(|open| open);
        loop {
            match launcher.channel.next() {
                Ok(Some(FromLauncher::Executing)) => launcher.executing = true,
                Ok(Some(FromLauncher::Failed(failure))) => return Some(failure),
                Ok(None) => break,
                Err(_) => return Some(Failure::LauncherLost),
            }
        }
        if open {
            return None;
        }
        let executing = launcher.executing;
        self.launcher = None;
        let Some(pid) = self.command.filter(|_| executing) else {
            return Some(Failure::LauncherLost);
        };
        self.tell(&FromKeeper::Started {
            containment: self.containment,
            pid: pid.as_raw_nonzero().get(),
            cgroup: self.members.cgroup(),
        });
        None
    }

    /// Asks for children that have ended or stopped. True if no process of the job is left.
    fn reap(&mut self) -> bool {
        // A job can start and end processes faster than they are asked for.
        for _ in 0..MAX_REAPED {
            match wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
                Ok(Some((pid, status))) if Some(pid) == self.command => {
                    self.command_changed(status);
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return false,
                Err(_) => return self.members.is_empty(),
            }
        }
        self.is_behind = true;
        false
    }

    fn command_changed(&mut self, status: WaitStatus) {
        if !status.stopped() {
            self.command = None;
            self.tell(&FromKeeper::Exited { status: status.as_raw() });
            self.end(Cause::Exited, self.leftover_grace);
        } else if let Some(signal) = status.stopping_signal()
            && !self.stopped
            && self.ending.is_none()
            // A caller that does not listen hears of one stop, not of thousands.
            && !self.channel.has_unsent()
        {
            self.tell(&FromKeeper::Stopped { signal });
        }
    }

    /// Does what is due to end the job. True if it was something.
    fn proceed(&mut self) -> bool {
        let Some(ending) = &self.ending else { return false };
        let begun = Instant::now();
        let due = ending.due(begun);
        let remaining = match due {
            Due::Nothing => return false,
            Due::Terminate => Remaining::refused(self.members.terminate()),
            Due::KillNewcomers => Remaining::refused(self.members.kill_newcomers()),
            Due::Kill => self.members.kill(),
        };
        let now = Instant::now();
        let only_refused = remaining.living.iter().all(|pid| remaining.refused.contains(pid));
        let mut overdue = false;
        if let Some(ending) = &mut self.ending {
            ending.done(due, begun, now, only_refused);
            overdue = ending.is_overdue(now);
        }
        for pid in &remaining.refused {
            self.report(*pid, SurvivorReason::NotPermitted);
        }
        for pid in remaining.living.iter().filter(|pid| overdue && !remaining.refused.contains(pid))
        {
            self.report(*pid, SurvivorReason::Unresponsive);
        }
        true
    }

    fn report(&mut self, pid: Pid, reason: SurvivorReason) {
        let survivor = Survivor { pid: pid.as_raw_nonzero().get().cast_unsigned(), reason };
        if self.reported.insert(survivor) {
            self.tell(&FromKeeper::StillRunning(survivor));
        }
    }

    fn tell(&mut self, message: &FromKeeper) {
        // That the caller has ended is seen when it is heard next.
        let _ = self.channel.send(message);
    }

    fn fail(&mut self, failure: Failure) -> Finished {
        self.members.kill();
        while wait(WaitOptions::empty()).is_ok() {}
        self.members.clean_up();
        self.say_last(&FromKeeper::Failed(failure))
    }

    fn finish(&mut self) -> Finished {
        self.members.clean_up();
        let cause = self.ending.as_ref().map_or(Cause::Exited, |ending| ending.cause);
        self.say_last(&FromKeeper::Ended { cause })
    }

    /// Ends what can be ended unseen, and leaves the rest to the caller, whose children they become.
    fn give_up(&mut self) -> Finished {
        if let Some(command) = self.command {
            kill_unseen(command);
        }
        Finished
    }

    /// Waits for a caller that does not listen, but not for ever.
    fn say_last(&mut self, message: &FromKeeper) -> Finished {
        let _ = self.channel.wait_when_sending(Duration::from_secs(1));
        self.tell(message);
        Finished
    }
}
