//! Certificates and keys: made, read from a Secret, and renewed by a plan.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{ByteString, jiff::Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{
    CertificateError,
    plan::{
        AUTHORITY_LIFETIME, BACKDATED, Plan, Present, SERVING_LIFETIME, Serving, Signer, Validity,
    },
};

/// The keys of the Secret.
const AUTHORITY_CERTIFICATES: &str = "ca.crt";
const AUTHORITY_KEYS: &str = "ca.key";
const SERVING_CERTIFICATE: &str = "tls.crt";
const SERVING_KEY: &str = "tls.key";

/// What the Secret holds.
#[derive(Clone, Default)]
pub struct Material {
    /// All that are trusted, each with its key.
    authorities: Vec<Pair>,
    serving: Option<Pair>,
}

/// A certificate and its key, in PEM form.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

struct Parsed {
    validity: Validity,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    names: Vec<String>,
}

impl Material {
    /// Reads a Secret. What is missing or cannot be read counts as absent, and
    /// will be made anew.
    pub fn read(data: &BTreeMap<String, ByteString>) -> Self {
        let text = |key: &str| {
            data.get(key).and_then(|bytes| std::str::from_utf8(&bytes.0).ok()).unwrap_or_default()
        };
        let certificates = blocks(text(AUTHORITY_CERTIFICATES));
        let keys = blocks(text(AUTHORITY_KEYS));
        let pairs = certificates.into_iter().zip(keys);
        let authorities =
            pairs.map(|(certificate, key)| Pair { certificate, key }).filter(Pair::is_usable);
        let serving = Pair {
            certificate: text(SERVING_CERTIFICATE).to_owned(),
            key: text(SERVING_KEY).to_owned(),
        };
        Self { authorities: authorities.collect(), serving: Some(serving).filter(Pair::is_usable) }
    }

    /// The Secret's data.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let joined =
            |part: fn(&Pair) -> &str| self.authorities.iter().map(part).collect::<String>();
        let serving = self.serving.as_ref();
        [
            (AUTHORITY_CERTIFICATES, self.bundle()),
            (AUTHORITY_KEYS, joined(|pair| &pair.key)),
            (SERVING_CERTIFICATE, serving.map(|pair| pair.certificate.clone()).unwrap_or_default()),
            (SERVING_KEY, serving.map(|pair| pair.key.clone()).unwrap_or_default()),
        ]
        .map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())))
        .into()
    }

    /// All authorities to be trusted, in PEM form.
    pub fn bundle(&self) -> String {
        self.authorities.iter().map(|pair| pair.certificate.as_str()).collect()
    }

    /// What is served with.
    pub fn serving(&self) -> Option<&Pair> {
        self.serving.as_ref()
    }

    /// When what there is, is valid. A serving certificate that lacks one of
    /// `names` is as good as none.
    pub fn present(&self, names: &[String]) -> Present {
        let authorities: Vec<_> = self.authorities.iter().filter_map(Pair::parse).collect();
        let serving = self.serving.as_ref().and_then(Pair::parse);
        let serving =
            serving.filter(|serving| names.iter().all(|name| serving.names.contains(name)));
        let serving = serving.map(|serving| Serving {
            validity: serving.validity,
            issuer: authorities
                .iter()
                .position(|authority| authority.subject == serving.issuer)
                .unwrap_or(usize::MAX),
        });
        Present {
            authorities: authorities.iter().map(|authority| authority.validity).collect(),
            serving,
        }
    }

    /// Carries out a plan that was made for this material and these names.
    ///
    /// # Errors
    /// There is no randomness, or a name cannot stand in a certificate.
    pub fn renewed(
        &self,
        plan: &Plan,
        names: &[String],
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let new = plan.add_authority.then(|| authority(now)).transpose()?;
        let serving = match plan.sign {
            None => self.serving.clone(),
            Some(signer) => {
                let signer = match signer {
                    Signer::Present(index) => self.authorities.get(index),
                    Signer::New => new.as_ref(),
                };
                Some(serving(signer.ok_or(CertificateError::NoAuthority)?, names, now)?)
            }
        };
        let kept = self.authorities.iter().enumerate();
        let kept =
            kept.filter(|(index, _)| !plan.drop.contains(index)).map(|(_, pair)| pair.clone());
        Ok(Self { authorities: kept.chain(new).collect(), serving })
    }
}

impl Pair {
    /// Whether certificate and key can be read and belong together.
    fn is_usable(&self) -> bool {
        self.parse().is_some() && self.certified_key().is_ok()
    }

    /// When the certificate ends to be valid.
    pub fn expires_at(&self) -> Option<Timestamp> {
        Some(self.parse()?.validity.to)
    }

    /// For a TLS listener.
    ///
    /// # Errors
    /// Something cannot be read, or the key is another certificate's.
    pub fn certified_key(&self) -> Result<rustls::sign::CertifiedKey, CertificateError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(self.certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| CertificateError::Unreadable(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|error| CertificateError::Unreadable(error.to_string()))?;
        let provider = rustls::crypto::ring::default_provider();
        Ok(rustls::sign::CertifiedKey::from_der(chain, key, &provider)?)
    }

    fn parse(&self) -> Option<Parsed> {
        let der = CertificateDer::from_pem_slice(self.certificate.as_bytes()).ok()?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let time = |at: x509_parser::time::ASN1Time| Timestamp::from_second(at.timestamp()).ok();
        let validity = Validity {
            from: time(certificate.validity().not_before)?,
            to: time(certificate.validity().not_after)?,
        };
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.into_iter().flat_map(|extension| &extension.value.general_names);
        let names = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        Some(Parsed {
            validity,
            names: names.collect(),
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
        })
    }
}

fn authority(now: Timestamp) -> Result<Pair, CertificateError> {
    let mut params = CertificateParams::new(Vec::new())?;
    // Of its own for each, so that who has signed what can be told by it.
    let name = format!("outbox-operator {}", uuid::Uuid::new_v4());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    validity(&mut params, now, AUTHORITY_LIFETIME)?;
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn serving(by: &Pair, names: &[String], now: Timestamp) -> Result<Pair, CertificateError> {
    let mut params = CertificateParams::new(names)?;
    let common_name = names.first().map(String::as_str).unwrap_or_default();
    // The common name is limited to 64 characters and looked at by nobody.
    params.distinguished_name.push(DnType::CommonName, &common_name[..common_name.len().min(64)]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    validity(&mut params, now, SERVING_LIFETIME)?;
    let issuer = Issuer::from_ca_cert_pem(&by.certificate, KeyPair::from_pem(&by.key)?)?;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn validity(
    params: &mut CertificateParams,
    now: Timestamp,
    lifetime: Duration,
) -> Result<(), CertificateError> {
    let now = OffsetDateTime::from_unix_timestamp(now.as_second())
        .map_err(|error| CertificateError::Unreadable(error.to_string()))?;
    params.not_before = now - BACKDATED;
    params.not_after = now + lifetime;
    Ok(())
}

/// The blocks of a PEM file, each ending in a line break.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block = String::new();
    for line in text.lines() {
        block.push_str(line.trim_end());
        block.push('\n');
        if line.starts_with("-----END ") {
            blocks.push(std::mem::take(&mut block));
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::plan::plan;

    fn names() -> Vec<String> {
        vec!["operator.system.svc".into(), "operator.system.svc.cluster.local".into()]
    }

    fn renewed(material: &Material, now: Timestamp) -> Material {
        let plan = plan(&material.present(&names()), now);
        material.renewed(&plan, &names(), now).unwrap()
    }

    #[test]
    fn what_is_made_is_read_back_and_needs_no_renewal() {
        let now = Timestamp::now();
        let made = renewed(&Material::default(), now);
        let read = Material::read(&made.data());
        assert!(plan(&read.present(&names()), now).is_empty());
        assert_eq!(read.bundle(), made.bundle());
        assert!(read.serving().unwrap().certified_key().is_ok());
    }

    #[test]
    fn a_serving_certificate_is_trusted_by_the_bundle_for_its_names_only() {
        use rustls::{
            client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
            pki_types::UnixTime,
        };
        let made = renewed(&Material::default(), Timestamp::now());
        let mut roots = rustls::RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(made.bundle().as_bytes()) {
            roots.add(root.unwrap()).unwrap();
        }
        let provider = rustls::crypto::ring::default_provider();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.into())
            .build()
            .unwrap();
        let chain = made.serving().unwrap().certified_key().unwrap().cert;
        let verify = |name: &'static str| {
            let name = name.try_into().unwrap();
            verifier.verify_server_cert(&chain[0], &[], &name, &[], UnixTime::now()).is_ok()
        };
        assert!(verify("operator.system.svc"));
        assert!(verify("operator.system.svc.cluster.local"));
        assert!(!verify("other.system.svc"));
    }

    #[test]
    fn over_the_years_there_is_always_something_trusted_to_serve_with() {
        let mut now = Timestamp::now();
        let mut material = Material::default();
        let mut trusted_before = String::new();
        for _ in 0..900 {
            material = renewed(&material, now);
            let present = material.present(&names());
            let issuer = present.serving.unwrap().issuer;
            assert!(issuer < present.authorities.len(), "signed by one that is trusted");
            assert!(present.authorities.len() <= 2);
            // What API servers trusted a day ago is enough for what is served now.
            if !trusted_before.is_empty() {
                let signer = &material.authorities[issuer].certificate;
                assert!(trusted_before.contains(signer.as_str()));
            }
            trusted_before = material.bundle();
            now += k8s_openapi::jiff::SignedDuration::from_hours(24);
        }
    }

    #[test]
    fn a_secret_that_was_tampered_with_is_made_anew() {
        let now = Timestamp::now();
        let mut data = renewed(&Material::default(), now).data();
        let other = renewed(&Material::default(), now).data();
        data.insert("tls.key".into(), other["tls.key"].clone());
        assert!(Material::read(&data).serving().is_none());
        data.insert("ca.key".into(), ByteString(b"nonsense".to_vec()));
        let plan = plan(&Material::read(&data).present(&names()), now);
        assert!(plan.add_authority);
        assert_eq!(plan.sign, Some(Signer::New));
    }

    #[test]
    fn another_service_name_needs_another_certificate() {
        let now = Timestamp::now();
        let made = renewed(&Material::default(), now);
        let present = made.present(&["renamed.system.svc".into()]);
        assert_eq!(plan(&present, now).sign, Some(Signer::Present(0)));
    }
}
