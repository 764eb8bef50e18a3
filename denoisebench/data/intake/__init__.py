"""Files in, slices in HU out: DICOM as archives send it, NIfTI, or the reason why not."""
