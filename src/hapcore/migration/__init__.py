"""Moving in and out: the files of other HomeKit libraries, read and written."""
