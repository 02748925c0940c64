//! Calls to several addresses: how one is chosen, and what happens when an attempt fails.

use clap::{Args, ValueEnum};
use farcall::{Client, ClientBuilder, Fail, Select};

/// The flags of whoever calls.
#[derive(Args, Clone, Debug)]
pub(crate) struct Several {
    /// How one of several addresses is chosen (rpcx://HOST:PORT,HOST:PORT/…); they take turns
    /// unless given
    #[arg(long, value_name = "HOW")]
    select: Option<How>,
    /// What happens when an attempt fails: fast fails, try takes the same address again, over
    /// another. What may have left is only repeated with --idempotent
    #[arg(long, value_name = "MODE")]
    fail: Option<Mode>,
    /// Attempts after the first, at most
    #[arg(long, value_name = "N", default_value_t = 2, requires = "fail")]
    retries: u32,
    /// The call may run twice without harm; that Arith, HelloService and Echo may is known where
    /// they are called with types
    #[arg(long)]
    idempotent: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum How {
    /// They take turns.
    #[value(name = "round-robin")]
    RoundRobin,
    /// One at random.
    Random,
    /// The first that can be reached.
    First,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// The error as it is.
    Fast,
    /// The same address again.
    Try,
    /// Another address.
    Over,
}

impl Several {
    /// Sets a client up.
    pub(crate) fn apply(&self, builder: ClientBuilder<Client>) -> ClientBuilder<Client> {
        let select = match self.select {
            None | Some(How::RoundRobin) => Select::RoundRobin,
            Some(How::Random) => Select::Random,
            Some(How::First) => Select::First,
        };
        let retries = self.retries;
        let fail = match self.fail {
            None | Some(Mode::Fast) => Fail::Fast,
            Some(Mode::Try) => Fail::Try { retries },
            Some(Mode::Over) => Fail::Over { retries },
        };
        builder.select(select).fail(fail)
    }

    /// Says of a client's calls that they may run twice, if that was said.
    pub(crate) fn mark(&self, client: Client) -> Client {
        if self.idempotent { client.idempotent() } else { client }
    }
}
