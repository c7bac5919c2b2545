//go:build unix && !race

package testenv

// raceDetector tells that the tests run with -race.
const raceDetector = false
