#!/bin/sh
# SPDX-License-Identifier: ISC
#
# TEST: timeout=300
#
# A point for each sentence of the specification (make conformance).

exec test/conform/conformance --tap
