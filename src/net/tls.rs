//! TLS towards a house: which certificates are believed.
//!
//! The authorities are those of the machine (`/etc/ssl/certs`), so that an administrator adds one for all programs at
//! once and the system's updates reach us; a box without any still knows its house by the key that was pinned.
//! A pinned key holds whatever the date says: a box without a battery believes in 1970 when it starts.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};

use crate::net::link::{Certificate, Issuer};

/// Which certificates are believed.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those of the machine's authorities.
    Authorities,
    /// Whatever comes first, which is then kept here: before a box is paired, people compare a number that it is part
    /// of. Later ones must have the same key.
    First(Seen),
    /// The one that came when the box was paired.
    Pinned(Certificate),
}

/// The certificate that a house showed.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Option<Certificate>>>);

impl Seen {
    /// The certificate, once there was a connection with TLS.
    pub fn certificate(&self) -> Option<Certificate> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A configuration for connections that speak HTTP/1.1.
pub fn config(trust: Trust) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let authorities = authorities(&provider);
    let verifier = Verifier {
        trust,
        authorities,
        provider: provider.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The machine's authorities; nothing where it has none.
fn authorities(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .ok()
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo.
fn spki(certificate: &CertificateDer<'_>) -> Result<[u8; 32], Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    Ok(Sha256::digest(parsed.subject_public_key_info().as_ref()).into())
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn by_authorities(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.authorities {
            Some(authorities) => {
                authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let vouched = || self.by_authorities(end_entity, intermediates, server_name, ocsp, now);
        let unknown = || Err(CertificateError::ApplicationVerificationFailure.into());
        match &self.trust {
            Trust::Authorities => vouched(),
            Trust::First(seen) => {
                let spki = spki(end_entity)?;
                let issuer = match vouched() {
                    Ok(_) => Issuer::Authority,
                    Err(_) => Issuer::Own,
                };
                let mut seen = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
                let first = seen.get_or_insert(Certificate { spki, issuer });
                match first.spki == spki {
                    true => Ok(ServerCertVerified::assertion()),
                    false => unknown(),
                }
            }
            Trust::Pinned(pinned) => match (pinned.spki == spki(end_entity)?, pinned.issuer) {
                (true, _) => Ok(ServerCertVerified::assertion()),
                (false, Issuer::Authority) => vouched(),
                (false, Issuer::Own) => unknown(),
            },
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two certificates that nobody vouches for, as a house makes them for itself.
    const ONE: &str = include_str!("../../tests/data/house-certificate-1.pem");
    const OTHER: &str = include_str!("../../tests/data/house-certificate-2.pem");

    fn certificate(pem: &str) -> CertificateDer<'static> {
        use rustls::pki_types::pem::PemObject;
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
    }

    fn verdict(trust: &Trust, pem: &str) -> Result<(), Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier {
            trust: trust.clone(),
            authorities: authorities(&provider),
            provider,
        };
        let name = ServerName::try_from("gallery.example").expect("a name");
        // A box without a battery: both certificates are from the future.
        let now = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        verifier
            .verify_server_cert(&certificate(pem), &[], &name, &[], now)
            .map(drop)
    }

    #[test]
    fn what_comes_first_is_kept_and_another_is_refused() {
        let seen = Seen::default();
        let trust = Trust::First(seen.clone());
        assert_eq!(seen.certificate(), None);
        verdict(&trust, ONE).expect("the first");
        verdict(&trust, ONE).expect("the same again");
        verdict(&trust, OTHER).expect_err("another");
        let kept = seen.certificate().expect("it is kept");
        assert_eq!(kept.issuer, Issuer::Own);
        assert_eq!(kept.spki, spki(&certificate(ONE)).expect("its key"));
    }

    #[test]
    fn a_pinned_key_holds_at_any_date_and_no_other_does() {
        let spki = spki(&certificate(ONE)).expect("its key");
        for issuer in [Issuer::Own, Issuer::Authority] {
            let trust = Trust::Pinned(Certificate { spki, issuer });
            verdict(&trust, ONE).expect("the pinned one");
            verdict(&trust, OTHER).expect_err("another");
        }
        verdict(&Trust::Authorities, ONE).expect_err("nobody vouches for it");
    }
}
