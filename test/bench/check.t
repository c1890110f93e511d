#!/bin/sh
# SPDX-License-Identifier: ISC
#
# TEST: timeout=300
#
# Every driver against every device model (make check): a point for each class of runs.

n=0
build/bench | (
	while read -r line; do
		case $line in
		ok*)	n=$((n + 1)); echo "ok $n -${line#ok}" ;;
		FAILED*) n=$((n + 1)); echo "not ok $n -${line#FAILED}" ;;
		*)	echo "# $line" ;;
		esac
	done
	[ $n -gt 0 ] || { n=1; echo "not ok 1 - no class was run"; }
	echo "1..$n"
)
