//! Where a running shop is reached, for scripts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use test_support::shop::Shop;

const NAME: &str = "addresses.env";

/// A file that a shell can read in: there while everything runs, and gone when this is dropped.
pub(crate) struct AddressFile(PathBuf);

impl AddressFile {
    /// Sets it in place whole: who sees it can read it.
    pub(crate) fn write(dir: &Path, shop: &Shop) -> anyhow::Result<Self> {
        let at = shop.addresses();
        let text = format!("SHOP_API_URL=http://{}\nSHOP_UI_URL=http://{}\n", at.gateway, at.ui);
        let (path, draft) = (dir.join(NAME), dir.join(format!("{NAME}.new")));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    /// Takes away what a shop that was killed has left.
    pub(crate) fn remove_stale(dir: &Path) {
        let _ = fs::remove_file(dir.join(NAME));
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
