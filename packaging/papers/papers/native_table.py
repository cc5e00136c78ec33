"""The libraries in C and C++ that wheels bring: whose they are, and where their version stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# A version in the file's own name: its first line, as `natives` reads it.
_NAMED = rb"\A[^\n]*\.so\.([0-9.]+[a-z]?)\n"
_OPENSSL = rb"OpenSSL (\d+\.\d+\.\d+[a-z]?)\s"
_BARE = rb"\x00(\d+\.\d+\.\d+)\x00"


@dataclass(frozen=True, slots=True)
class Native:
    """One library in one wheel; it is there when a file fits `pattern` (below site-packages).

    `version` is searched in the file's name, a newline and its bytes; "" where nothing tells. `text` names a file of
    licences/; "" when the wheel's own licence files hold it. `listed` is its name in the wheel's own list of contents
    (PEP 770), which is believed first.
    """

    wheel: str
    pattern: str
    name: str
    licence: str
    version: bytes = b""
    text: str = ""
    listed: str = ""
    cpe: str = ""


NATIVES: Final[tuple[Native, ...]] = (
    Native("argon2-cffi-bindings", "_argon2_cffi_bindings/_ffi*.so", "argon2", "CC0-1.0 OR Apache-2.0", text="argon2"),
    Native("cffi", "_cffi_backend*.so", "libffi", "MIT", text="libffi"),
    Native(
        "cryptography",
        "cryptography/hazmat/bindings/_rust*.so",
        "openssl",
        "Apache-2.0",
        _OPENSSL,
        "openssl",
        "openssl",
        "openssl:openssl",
    ),
    Native(
        "numpy",
        "numpy.libs/libscipy_openblas*",
        "openblas",
        "BSD-3-Clause",
        rb"OpenBLAS (\d+\.\d+\.\d+)",
        cpe="openblas_project:openblas",
    ),
    Native("numpy", "numpy.libs/libgfortran*", "libgfortran", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    Native("numpy", "numpy.libs/libquadmath*", "libquadmath", "LGPL-2.1-or-later"),
    Native("pillow", "pillow.libs/libXau-*", "libXau", "MIT", listed="libXau"),
    Native("pillow", "pillow.libs/libavif-*", "libavif", "BSD-2-Clause", listed="libavif", cpe="aomedia:libavif"),
    Native("pillow", "pillow.libs/libbrotli*", "brotli", "MIT", _NAMED, cpe="google:brotli"),
    Native("pillow", "pillow.libs/libfreetype-*", "freetype", "FTL", listed="FreeType", cpe="freetype:freetype"),
    Native(
        "pillow", "pillow.libs/libharfbuzz-*", "harfbuzz", "MIT", listed="HarfBuzz", cpe="harfbuzz_project:harfbuzz"
    ),
    Native(
        "pillow",
        "pillow.libs/libjpeg-*",
        "libjpeg-turbo",
        "IJG AND BSD-3-Clause",
        listed="libjpeg / libjpeg-turbo",
        cpe="libjpeg-turbo:libjpeg-turbo",
    ),
    Native("pillow", "pillow.libs/liblcms2-*", "lcms2", "MIT", listed="Little CMS 2", cpe="littlecms:little_cms"),
    Native("pillow", "pillow.libs/liblzma-*", "liblzma", "0BSD", _NAMED, cpe="tukaani:xz"),
    Native(
        "pillow", "pillow.libs/libopenjp2-*", "openjpeg", "BSD-2-Clause", listed="OpenJPEG", cpe="uclouvain:openjpeg"
    ),
    Native(
        "pillow",
        "pillow.libs/libpng16-*",
        "libpng",
        "libpng-2.0",
        rb"libpng version (\d+\.\d+\.\d+)",
        cpe="libpng:libpng",
    ),
    Native("pillow", "pillow.libs/libsharpyuv-*", "libsharpyuv", "BSD-3-Clause", listed="libwebp"),
    Native("pillow", "pillow.libs/libtiff-*", "libtiff", "libtiff", listed="libtiff", cpe="libtiff:libtiff"),
    Native("pillow", "pillow.libs/libwebp*", "libwebp", "BSD-3-Clause", listed="libwebp", cpe="webmproject:libwebp"),
    Native("pillow", "pillow.libs/libxcb-*", "libxcb", "X11", listed="libxcb"),
    Native("pillow", "pillow.libs/libzstd-*", "zstd", "BSD-3-Clause", _NAMED, cpe="facebook:zstandard"),
    Native(
        "psycopg-binary",
        "psycopg_binary.libs/libcom_err-*.so.2*",
        "libcom_err",
        "NTP-0 AND BSD-3-Clause",
        text="com_err",
        listed="libcom_err",
    ),
    Native("psycopg-binary", "psycopg_binary.libs/libcom_err-*.so.3*", "libcom_err-krb5", "MIT", text="krb5"),
    Native("psycopg-binary", "psycopg_binary.libs/libcrypt-*", "libxcrypt", "LGPL-2.1-or-later", text="libxcrypt"),
    Native(
        "psycopg-binary",
        "psycopg_binary.libs/libcrypto-*",
        "openssl",
        "Apache-2.0",
        _OPENSSL,
        "openssl",
        cpe="openssl:openssl",
    ),
    Native("psycopg-binary", "psycopg_binary.libs/libssl-*", "openssl", "Apache-2.0", text="openssl"),
    Native(
        "psycopg-binary",
        "psycopg_binary.libs/libkeyutils-*",
        "keyutils-libs",
        "LGPL-2.0-or-later",
        text="keyutils",
        listed="keyutils-libs",
    ),
    Native(
        "psycopg-binary",
        "psycopg_binary.libs/libkrb5-*",
        "krb5",
        "MIT",
        rb"krb5-(\d+\.\d+(?:\.\d+)?)",
        "krb5",
        cpe="mit:kerberos_5",
    ),
    Native("psycopg-binary", "psycopg_binary.libs/libkrb5support-*", "krb5", "MIT", text="krb5"),
    Native("psycopg-binary", "psycopg_binary.libs/libk5crypto-*", "krb5", "MIT", text="krb5"),
    Native("psycopg-binary", "psycopg_binary.libs/libgssapi_krb5-*", "krb5", "MIT", text="krb5"),
    Native(
        "psycopg-binary",
        "psycopg_binary.libs/libl*.so.2.*",
        "openldap",
        "OLDAP-2.8",
        text="openldap",
        cpe="openldap:openldap",
    ),
    Native(
        "psycopg-binary",
        "psycopg_binary.libs/libpq-*",
        "libpq",
        "PostgreSQL",
        rb"\A[^\n]*\.so\.5\.(\d+)\n",
        "postgresql",
        cpe="postgresql:postgresql",
    ),
    Native(
        "psycopg-binary",
        "psycopg_binary.libs/libsasl2-*",
        "cyrus-sasl-lib",
        "BSD-4-Clause",
        text="cyrus-sasl",
        listed="cyrus-sasl-lib",
    ),
    Native("pyjpegls", "_CharLS*.so", "charls", "BSD-3-Clause", rb"charls (\d+\.\d+\.\d+)", "charls"),
    Native("pylibjpeg-openjpeg", "_openjpeg*.so", "openjpeg", "BSD-2-Clause", _BARE, cpe="uclouvain:openjpeg"),
    Native(
        "pysqlite3",
        "pysqlite3/_sqlite3*.so",
        "sqlite",
        "blessing",
        rb"[^\d.](3\.\d{2}\.\d+)\x00",
        "sqlite",
        cpe="sqlite:sqlite",
    ),
    Native(
        "python-gdcm",
        "_gdcm/libgdcm[CDIM]*.so*",
        "gdcm",
        "BSD-3-Clause",
        _NAMED,
        "gdcm",
        cpe="grassroots_dicom_project:grassroots_dicom",
    ),
    Native("python-gdcm", "_gdcm/_gdcmswig.so", "gdcm", "BSD-3-Clause", text="gdcm"),
    Native("python-gdcm", "_gdcm/libgdcmcharls.so*", "charls", "BSD-3-Clause", _NAMED, "charls"),
    Native(
        "python-gdcm",
        "_gdcm/libgdcmexpat.so*",
        "expat",
        "MIT",
        rb"expat_(\d+\.\d+\.\d+)",
        "expat",
        cpe="libexpat_project:libexpat",
    ),
    Native("python-gdcm", "_gdcm/libgdcmjpeg*.so*", "libjpeg", "IJG", text="gdcmjpeg", cpe="ijg:libjpeg"),
    Native(
        "python-gdcm",
        "_gdcm/libgdcmopenjp2.so*",
        "openjpeg",
        "BSD-2-Clause",
        _NAMED,
        "openjpeg",
        cpe="uclouvain:openjpeg",
    ),
    Native("python-gdcm", "_gdcm/libgdcmuuid.so*", "libuuid", "BSD-3-Clause", text="uuid"),
    Native(
        "python-gdcm",
        "_gdcm/libgdcmzlib.so*",
        "zlib",
        "Zlib",
        rb"deflate (\d+\.\d+(?:\.\d+)*) Copyright",
        "zlib",
        cpe="zlib:zlib",
    ),
    Native("python-gdcm", "_gdcm/libsocketxx.so*", "socketxx", "LicenseRef-socketxx", _NAMED, "socketxx"),
    Native(
        "python-gdcm",
        "python_gdcm.libs/lib*.so.1.1*",
        "openssl-libs",
        "OpenSSL",
        _OPENSSL,
        "openssl-1",
        "openssl-libs",
        "openssl:openssl",
    ),
    Native("zstandard", "zstandard/backend_c*.so", "zstd", "BSD-3-Clause", _BARE, "zstd", cpe="facebook:zstandard"),
)
# Folders of a wheel in which every library must stand in the table.
WATCHED: Final = ("*.libs/*.so*", "_gdcm/*.so*")
