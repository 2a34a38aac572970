//! Root certificates of a group.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The longest text of a group's root certificates, in bytes.
const LONGEST_ROOTS: usize = 64 * 1024;

/// The certificates in `pem`, each of which can be trusted as a root.
///
/// # Errors
/// What is wrong with the text, for its author.
pub fn tls_roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    if pem.len() > LONGEST_ROOTS {
        return Err(format!("must not be longer than {LONGEST_ROOTS} bytes"));
    }
    if pem.contains("PRIVATE KEY") {
        return Err("holds a private key: only certificates belong here, and everybody who reads the group sees them"
            .to_owned());
    }
    let mut trusted = RootCertStore::empty();
    let mut roots = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let number = roots.len() + 1;
        let certificate = certificate.map_err(|error| format!("is not PEM from certificate {number} on: {error}"))?;
        trusted.add(certificate.clone()).map_err(|error| format!("cannot be read at certificate {number}: {error}"))?;
        roots.push(certificate);
    }
    if roots.is_empty() {
        return Err("holds no certificate: it must be PEM, with -----BEGIN CERTIFICATE----- and so on".to_owned());
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;
