//! Bugs of capabilities and usage.

use async_trait::async_trait;
use sessile_core::{Capabilities, ReportUsage, StorageError, Usage};

use super::{Broken, Bug};
use crate::locked;

impl Broken {
    pub(super) fn wrong_capabilities(&self) -> Capabilities<'_> {
        match self.bug {
            Bug::UsageIsMissing => Capabilities::none(),
            Bug::WatchIsMissing => Capabilities::none().with_usage(Some(self)),
            bug if bug.has_watch() => Capabilities::none().with_usage(Some(self)).with_watch(Some(self)),
            _ => Capabilities::none().with_usage(Some(self)),
        }
    }
}

#[async_trait]
impl ReportUsage for Broken {
    async fn usage(&self) -> Result<Usage, StorageError> {
        let now = self.model.usage().await?;
        match self.bug {
            Bug::UsageNeverShrinks => {
                let mut most = locked(&self.most);
                *most = Usage::new(most.entries.max(now.entries), most.bytes.max(now.bytes));
                Ok(*most)
            }
            Bug::UsageIgnoresPayloads => Ok(Usage::new(now.entries, 64 * now.entries)),
            _ => Ok(now),
        }
    }
}
