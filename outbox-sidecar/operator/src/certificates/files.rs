//! Certificates that somebody else keeps in files, such as cert-manager.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{CertificateError, Pair, ServingCertificate};

/// How often the files are looked at. A kubelet takes a minute to bring them.
const INTERVAL: Duration = Duration::from_secs(10);

/// Loads `tls.crt` and `tls.key` of a folder, and loads them again when they
/// have changed, until told to stop. What cannot be used is reported once and
/// changes nothing.
pub async fn follow_files(folder: PathBuf, serving: ServingCertificate, stop: CancellationToken) {
    let mut said = None;
    loop {
        match load(&folder, &serving).await {
            Ok(()) => said = None,
            Err(error) => {
                let error = error.to_string();
                if said.as_ref() != Some(&error) {
                    tracing::error!(%error, "serving certificate not loaded");
                    said = Some(error);
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn load(folder: &Path, serving: &ServingCertificate) -> Result<(), CertificateError> {
    let read = async |name: &str| {
        let path = folder.join(name);
        tokio::fs::read_to_string(&path)
            .await
            .map_err(|error| CertificateError::File { path: path.display().to_string(), error })
    };
    serving.replace(&Pair { certificate: read("tls.crt").await?, key: read("tls.key").await? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{certificates::Material, metrics::Metrics};

    #[tokio::test]
    async fn changed_files_are_loaded_and_broken_ones_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let serving = ServingCertificate::new(Metrics::new().unwrap());
        assert!(load(folder.path(), &serving).await.unwrap_err().to_string().contains("tls.crt"));
        assert!(!serving.is_loaded());

        let write = |pair: &Pair| {
            std::fs::write(folder.path().join("tls.crt"), &pair.certificate).unwrap();
            std::fs::write(folder.path().join("tls.key"), &pair.key).unwrap();
        };
        let (first, second) = (pair(), pair());
        write(&first);
        load(folder.path(), &serving).await.unwrap();
        assert!(serving.is_loaded());
        write(&Pair { certificate: second.certificate.clone(), key: first.key });
        assert!(load(folder.path(), &serving).await.is_err());
        assert!(serving.is_loaded());
        write(&second);
        load(folder.path(), &serving).await.unwrap();
    }

    fn pair() -> Pair {
        let now = k8s_openapi::jiff::Timestamp::now();
        let names = ["a.b.svc".to_owned()];
        let plan = crate::certificates::plan(&crate::certificates::Present::default(), now);
        Material::default().renewed(&plan, &names, now).unwrap().serving().unwrap().clone()
    }
}
