#!/usr/bin/env node
/**
 * Where the program was before it became a CommonJS module. `npx` in a checkout keeps a link to the
 * program of the first time, and goes on following it when package.json names another file.
 */
import './main.cts';
