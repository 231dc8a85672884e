import { ConfigError } from '../base/errors.ts';

/**
 * A fault of an argument, an option or a command, or of a directory or file that cannot be read:
 * nothing that has lines.
 */
export function faultIn(what: string, message: string, suggestion?: string): ConfigError {
  return new ConfigError([{ place: { file: what, line: 0, column: 0 }, message, suggestion }]);
}

/** A fault of the contents of a whole file: there is no better line to name than the first. */
export function faultOf(file: string, message: string, suggestion?: string): ConfigError {
  return new ConfigError([{ place: { file, line: 1, column: 1 }, message, suggestion }]);
}

/** What the operating system said, in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && reasons[code]) ?? message;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is a file, not a directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
  EIO: 'the device reports an error',
  ENXIO: 'it is not a regular file',
  EEXIST: 'there is something of that name',
  EBUSY: 'it is in use, or a mount point',
  ENOTEMPTY: 'the directory is not empty',
  EFBIG: 'the file would be too large',
  ENOMEM: 'out of memory',
  ESTALE: 'the network file system has lost it',
  ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
};
