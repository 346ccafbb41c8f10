package main

import (
	"os"
	"syscall"
)

// logReader is a reading end of the shim's log, a FIFO that containerd reads. Where containerd was
// killed after it had this shim started, opening the writing end would wait for ever: on a socket that
// takes connections and answers none, and which the next containerd finds.
var logReader *os.File

// holdLog has the log opened at once, whether somebody reads it or not.
func holdLog() {
	logReader, _ = os.OpenFile("log", os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// releaseLog leaves the log, which is open now, to containerd: with no reader at all a write fails,
// where one that nobody reads would be full some day.
func releaseLog() {
	_ = logReader.Close()
}
