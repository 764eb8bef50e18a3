"""Files in, slices in HU out: DICOM as hospitals and archives send it, or the reason why not."""
