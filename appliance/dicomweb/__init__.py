"""What DICOMweb (PS3.18) servers and clients share: media types, multipart, DICOM JSON."""
