/* test.h - what every unit test includes first. */
#ifndef RS_TESTS_UNIT_TEST_H
#define RS_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
