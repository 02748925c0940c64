//! The cells in which we call the real rpcx.

use super::{
    Feature, calls, features,
    place::{Carrier, Place, text},
};
use crate::go_peer::GoServer;
use farcall::Result;

/// A server of Go's behind a carrier, and what calls it.
pub(super) struct Ours<'a> {
    place: &'a Place,
    carrier: Carrier,
    /// Has everything but what needs a server of its own.
    _go: GoServer,
    url: String,
    files: std::path::PathBuf,
}

impl<'a> Ours<'a> {
    pub(super) fn start(place: &'a Place, carrier: Carrier) -> Ours<'a> {
        let files = place.fresh("files");
        std::fs::create_dir(&files).expect("a folder");
        let (go, url) = place.go(carrier, &["-files", text(&files), "-reflect"]);
        Ours { place, carrier, _go: go, url, files }
    }

    /// A server of its own, with these flags.
    fn apart(&self, flags: &[&str]) -> (GoServer, String) {
        self.place.go(self.carrier, flags)
    }

    pub(super) async fn run(&self, feature: Feature) -> Result<()> {
        let url = &self.url;
        match feature {
            Feature::Codecs => {
                calls::codecs(url).await?;
                calls::bare(url).await
            }
            Feature::OwnCodec => features::own_codec(url).await,
            Feature::Oneway => calls::oneway(url).await,
            Feature::Heartbeats => features::heartbeats(url).await,
            Feature::Metadata => calls::metadata(url).await,
            Feature::Errors => calls::errors(url).await,
            Feature::Push => {
                let (go, url) = self.apart(&[]);
                calls::pushes(&url, go).await
            }
            Feature::SendRaw => features::raw(url).await,
            Feature::Handlers => features::handlers(url).await,
            Feature::Auth => {
                let (_go, url) = self.apart(&["-token", "letmein"]);
                features::auth(&url).await
            }
            Feature::Deadlines => calls::deadlines(url).await,
            Feature::Bodies => calls::bodies(url).await,
            Feature::Crowds => calls::crowds(url).await,
            Feature::Drain => {
                let (go, url) = self.apart(&[]);
                features::drain(&url, go).await?;
                if self.carrier == Carrier::Unix {
                    let socket = self.place.fresh("again");
                    features::comes_back(|| self.place.go_at(&socket, &[])).await?;
                }
                Ok(())
            }
            Feature::Reflection => features::reflection(url).await,
            Feature::Files => features::files(url, &self.files, &self.place.folder).await,
            Feature::Streams => features::streams(url).await,
            Feature::Frames | Feature::Gateway => unreachable!("`never` says so"),
        }
    }
}
