//! How long each step of a call takes, seen from outside of it: a call encodes and queues itself
//! when it is first polled, and decodes its reply when it is polled last.

use crate::output;
use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    time::{Duration, Instant},
};

/// The steps of a call that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Steps {
    /// Until it was encoded and in the connection's output.
    pub(crate) sent: Duration,
    /// From there until its reply was taken up; none for a call that ended at once.
    pub(crate) waited: Option<Duration>,
    /// To decode the reply, or to learn of the failure.
    pub(crate) taken: Option<Duration>,
}

impl Steps {
    /// All of them.
    pub(crate) fn total(&self) -> Duration {
        self.sent + self.waited.unwrap_or_default() + self.taken.unwrap_or_default()
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "encoded and sent in {}", output::time(self.sent))?;
        if let (Some(waited), Some(taken)) = (self.waited, self.taken) {
            write!(f, ", waited {}, decoded in {}", output::time(waited), output::time(taken))?;
        }
        Ok(())
    }
}

/// Waits for a call and notes its steps, also when it fails.
pub(crate) async fn timed<T>(mut call: Pin<Box<dyn Future<Output = T> + Send>>) -> (T, Steps) {
    let mut steps = Steps::default();
    // When the first poll was over.
    let mut since: Option<Instant> = None;
    let output = poll_fn(|cx| {
        let began = Instant::now();
        let poll = call.as_mut().poll(cx);
        match since {
            None => {
                let now = Instant::now();
                (steps.sent, since) = (now - began, Some(now));
            }
            Some(since) if poll.is_ready() => {
                steps.waited = Some(began - since);
                steps.taken = Some(began.elapsed());
            }
            Some(_) => {}
        }
        poll
    });
    let output = output.await;
    (output, steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Poll;

    #[tokio::test]
    async fn steps_are_told_apart() {
        let (text, steps) = timed(Box::pin(async { "at once" })).await;
        assert_eq!((text, steps.waited, steps.taken), ("at once", None, None));
        let mut polls = 0;
        let later = poll_fn(move |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            if polls < 3 { Poll::Pending } else { Poll::Ready(polls) }
        });
        let (polls, steps) = timed(Box::pin(later)).await;
        assert_eq!(polls, 3);
        assert!(steps.waited.is_some() && steps.taken.is_some());
        let text = steps.to_string();
        assert!(text.contains("encoded and sent in") && text.contains("decoded in"), "{text}");
    }
}
