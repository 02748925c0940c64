package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// ownCPU is the user and system time this process has used.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// serverCPU is the CPU time of another process in nanoseconds. The process's
// CPU clock also counts threads that have ended, so it comes first; the sum over
// the live threads is the fallback. The tick counters of /proc/PID/stat (10 ms)
// are too coarse to use.
func serverCPU(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	// The clock id of another process, as clock_getcpuclockid(3) makes it.
	const schedClock = 2
	var ts syscall.Timespec
	clock := uintptr(int32(^pid<<3 | schedClock))
	// The standard library has no function for this call.
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&ts)), 0)
	if errno == 0 {
		return time.Duration(ts.Nano()), nil
	}

	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has just ended
		}
		fields := strings.Fields(string(text))
		if len(fields) > 0 {
			ns, _ := strconv.ParseInt(fields[0], 10, 64)
			sum += time.Duration(ns)
		}
	}
	if sum == 0 {
		return 0, fmt.Errorf("no CPU time to read for process %d", pid)
	}
	return sum, nil
}
