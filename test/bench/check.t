#!/bin/sh
# SPDX-License-Identifier: ISC
#
# TEST: timeout=300
#
# Every driver, traced, against every device model (make check, slower): a point for each class of runs.

n=0
ended=no

# What it can't do with is told, and nothing is run.
refused() {
	n=$((n + 1))
	if said=$(build/traced/bench "$@" 2>&1) || [ "$(echo "$said" | wc -l)" -ne 1 ]; then
		echo "not ok $n - bench $* is refused in a line: $said"
	else
		echo "ok $n - bench $* is refused in a line: $said"
	fi
}
refused --seed x
refused --seeds 0
refused --leave 0x
refused --remove -1
refused --bus none
refused --driver none
refused more

build/traced/bench | (
	while read -r line; do
		case $line in
		ok*)	n=$((n + 1)); echo "ok $n -${line#ok}" ;;
		FAILED*) n=$((n + 1)); echo "not ok $n -${line#FAILED}" ;;
		*" passed, "*" failed") ended=yes; echo "# $line" ;;
		*)	echo "# $line" ;;
		esac
	done
	n=$((n + 1))
	if [ $ended = yes ] && [ $n -gt 1 ]; then
		echo "ok $n - the run came to its end"
	else
		echo "not ok $n - the run came to its end"
	fi
	echo "1..$n"
)
