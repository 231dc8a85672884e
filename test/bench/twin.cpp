// The inner algorithm of the simulator once more, as a small C++ program: draws the same visits, and takes
// each through the TLBs, the page walk, the caches and the records of why something was lost. It starts from
// the state that world.mjs wrote at the end of a simulation's warm-up and must reach the same counts. What
// it takes is the practical limit: nothing around it, every size a known address, compiled ahead with -O3.
//
// twin WORLD: prints CPU seconds of the loop, then a line per count.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

typedef int32_t i32;
typedef uint32_t u32;
typedef int64_t i64;
typedef std::vector<i32> Section;

static FILE *file;

[[noreturn]] static void fail(const char *what) {
  fprintf(stderr, "twin: %s\n", what);
  exit(1);
}

static Section section() {
  i32 words;
  if (fread(&words, 4, 1, file) != 1) fail("the world ends early");
  Section out(words);
  if (words > 0 && fread(out.data(), 4, words, file) != (size_t)words) fail("the world ends early");
  return out;
}

enum { PRESENT = 1, WRITABLE = 2, ACCESSED = 4, DIRTY = 8, GLOBAL = 16, LARGE = 32, PTE_SHIFT = 7 };
enum { COLD, CAPACITY, INTERFERENCE, CAUSES = 11 };
enum { FETCH, LOAD, STORE };
enum { IN_L2, IN_L3, IN_DRAM };

static i32 dataOn, nestedOn, asid, vcpu, vm, root, nestedRoot, frameBase, cpiQ8, carry, exposedQ8;
static i32 l2HitCycles, overheadCycles, pwcCycles, ntlbCycles, dramCycles, sequence;
static i32 *entries, *frames, *mirrors, *loss, *lineStates, *owners;

static struct {
  i64 visits, references, instructions, l1d_misses, l2d_hits, l2d_misses, walks;
  i64 walk_reads_guest, walk_reads_nested, pwc_hits, nested_tlb_hits, nested_tlb_misses;
  i64 walk_l2_hits, walk_l3_hits, walk_dram, data_lines, data_l2_misses, data_l3_hits, data_dram;
  i64 user, l2hit, walksBy[CAUSES], guestBy[CAUSES], nestedBy[CAUSES], stallBy[CAUSES];
} n;

// TLBs and walk caches, as in src/machine/tlb.ts: a translation is one entry whether one level holds it or both, found in
// one hash. An entry is named by its number in one pool; 0 is none.

struct Entry {
  i32 key, tag, chain, next, prev, frame, flags, slot, seq;
};
enum { TLB_L1 = 1 << 7, TLB_L2 = 1 << 8, OWNER_SHIFT = 9 };
static Entry pool[8192];
static i32 poolUsed = 1;

static const u32 GOLDEN = 0x9e3779b1u, MIX = 0x85ebca6bu;

struct Table {
  i32 *heads = nullptr, shift = 0;
  // Of a walk cache: its entries, and the first of them.
  i32 count = 0, first = 0;
  void make(i32 entries, i32 each) {
    i32 size = 16, bits = 4;
    while (size < each * entries) size *= 2, bits++;
    heads = (i32 *)calloc(size, 4);
    shift = 32 - bits;
  }
};

static inline u32 hashOf(i32 key, i32 tag, i32 shift) {
  return (((u32)key ^ (u32)tag * MIX) * GOLDEN) >> shift;
}
static inline i32 find(const Table &t, i32 key, i32 tag) {
  i32 e = t.heads[hashOf(key, tag, t.shift)];
  while (e != 0 && (pool[e].key != key || pool[e].tag != tag)) e = pool[e].chain;
  return e;
}
static inline void hash(Table &t, i32 e, i32 key, i32 tag) {
  pool[e].key = key;
  pool[e].tag = tag;
  i32 &head = t.heads[hashOf(key, tag, t.shift)];
  pool[e].chain = head;
  head = e;
}
static inline void unhash(Table &t, i32 e) {
  i32 *at = &t.heads[hashOf(pool[e].key, pool[e].tag, t.shift)];
  while (*at != e) at = &pool[*at].chain;
  *at = pool[e].chain;
}

// Data TLBs: levels 1 and 2 times three page sizes; sizes may share an array. Sets of the first level are lists with a
// home in the pool, which counts empty ways in `chain`; those of the second are rows of entries, most recent first.
struct Array {
  i32 sets = 0, ways = 0, homes = 0;
  i32 *rows = nullptr;
};
static Array stores[6];
static Array *tlb[6];
static i32 resident[6];
static Table translations, pwc, ntlb;
static i32 freeEntry;

static inline i32 homeOf(const Array &a, i32 key) { return a.homes + (key & (a.sets - 1)); }
static inline i32 *rowOf(const Array &a, i32 key) { return a.rows + (key & (a.sets - 1)) * a.ways; }
static inline void putFirst(i32 e, i32 home) {
  i32 newest = pool[home].next;
  pool[e].next = newest;
  pool[e].prev = home;
  pool[newest].prev = e;
  pool[home].next = e;
}
static inline void touch(i32 e, i32 home) {
  if (pool[home].next == e) return;
  i32 next = pool[e].next, prev = pool[e].prev;
  pool[prev].next = next;
  pool[next].prev = prev;
  putFirst(e, home);
}
static inline void toFront(i32 *row, i32 ways, i32 e) {
  if (ways == 4) {
    // Without a branch: which of the four it is cannot be guessed.
    i32 a = row[0], b = row[1], c = row[2], d = row[3];
    i32 afterA = -(a != e), afterB = afterA & -(b != e), afterC = afterB & -(c != e);
    row[0] = e;
    row[1] = b ^ ((a ^ b) & afterA);
    row[2] = c ^ ((b ^ c) & afterB);
    row[3] = d ^ ((c ^ d) & afterC);
    return;
  }
  i32 previous = e;
  for (i32 i = 0; i < ways; i++) {
    i32 here = row[i];
    row[i] = previous;
    if (here == e) return;
    previous = here;
  }
}
static inline i32 putInRow(i32 *row, i32 ways, i32 e) {
  i32 victim = row[ways - 1];
  for (i32 i = ways - 1; i > 0; i--) row[i] = row[i - 1];
  row[0] = e;
  return victim;
}
static inline i32 putInList(i32 home, i32 e) {
  i32 victim = 0;
  if (pool[home].chain != 0) pool[home].chain--;
  else {
    victim = pool[home].prev;
    pool[pool[victim].prev].next = home;
    pool[home].prev = pool[victim].prev;
  }
  putFirst(e, home);
  return victim;
}

static inline i32 create(i32 key, i32 tag) {
  i32 e = freeEntry;
  freeEntry = pool[e].chain;
  hash(translations, e, key, tag);
  return e;
}
static inline void destroy(i32 e) {
  unhash(translations, e);
  pool[e].tag = -1;
  pool[e].flags = 0;
  pool[e].chain = freeEntry;
  freeEntry = e;
}

// Puts an entry into array `a`; returns who had to go, or 0.
static inline i32 put(i32 a, i32 e) {
  Array &array = *tlb[a];
  pool[e].flags |= a < 3 ? TLB_L1 : TLB_L2;
  return a < 3 ? putInList(homeOf(array, pool[e].key), e)
               : putInRow(rowOf(array, pool[e].key), array.ways, e);
}

static void loadTlbs() {
  Section which = section();
  std::vector<Section> contents;
  i32 entries = 1;
  for (i32 a = 0; a < 6; a++) {
    contents.push_back(section());
    const Section &s = contents.back();
    tlb[a] = which[a] < 0 ? nullptr : &stores[which[a]];
    if (s.empty() || which[a] != a) continue;
    Array &array = stores[a];
    array.sets = s[1];
    array.ways = s[0] / s[1];
    entries += s[0];
    if (a < 3) {
      array.homes = poolUsed;
      poolUsed += array.sets;
      for (i32 set = 0; set < array.sets; set++) {
        i32 home = array.homes + set;
        pool[home] = {-1, -1, array.ways, home, home, 0, 0, 0, 0};
      }
    } else array.rows = (i32 *)calloc(s[0], 4);
  }
  translations.make(entries, 4);
  if (poolUsed + entries > (i32)(sizeof pool / sizeof pool[0])) fail("TLBs too large");
  freeEntry = poolUsed;
  for (i32 e = poolUsed; e < poolUsed + entries; e++) pool[e] = {-1, -1, e + 1, 0, 0, 0, 0, 0, 0};
  poolUsed += entries;
  for (i32 a = 0; a < 6; a++) {
    const Section &s = contents[a];
    if (s.empty() || which[a] != a) continue;
    for (size_t i = 2; i < s.size(); i += 6) {
      i32 e = find(translations, s[i], s[i + 1]);
      if (e == 0) {
        e = create(s[i], s[i + 1]);
        pool[e].flags = (s[i + 3] & 0x7f) | (s[i + 3] >> 8) << OWNER_SHIFT;
      }
      pool[e].frame = s[i + 2];
      pool[e].slot = s[i + 4];
      pool[e].seq = s[i + 5];
      i32 size = s[i + 1] & 3;
      put((a < 3 ? 0 : 3) + size, e);
      resident[(a < 3 ? 0 : 3) + size]++;
    }
  }
}

// Caches: a set is its tags, most recent first. In the L2 the most recent of all sets come before the others.
static i32 *l2Tags, *l3Tags, l2Ways, l2SetMask, l2Cycles, l3Ways, l3SetMask, l3Cycles, lineCause;

static bool takeFromL3(i32 tag, i32 number) {
  i32 *begin = l3Tags + (number & l3SetMask) * l3Ways, *last = begin + l3Ways - 1;
  for (i32 *at = begin; at <= last; at++) {
    if (*at == tag) {
      for (; at < last; at++) {
        *at = at[1];
        if (*at == 0) return true;
      }
      *last = 0;
      return true;
    }
    if (*at == 0) return false;
  }
  return false;
}

static void intoL3(i32 tag, i32 number) {
  i32 *begin = l3Tags + (number & l3SetMask) * l3Ways, *end = begin + l3Ways;
  i32 previous = *begin;
  *begin = tag;
  if (previous == tag || previous == 0) return;
  for (i32 *at = begin + 1; at < end; at++) {
    i32 here = *at;
    *at = previous;
    if (here == tag || here == 0) return;
    previous = here;
  }
}

static void noteLines(i32 frame, i32 line, i32 victim, i32 low) {
  static const i32 causeOfState[4] = {0, 1, 2, 8};
  i32 &word = lineStates[(frame << 2) | (line >> 4)];
  i32 shift = (line & 15) << 1;
  lineCause = causeOfState[((u32)word >> shift) & 3];
  word |= 3 << shift;
  if (victim == 0) return;
  i32 &other = lineStates[((victim - 1) << 2) | (low >> 4)];
  shift = (low & 15) << 1;
  other = (other & ~(3 << shift)) | ((owners[victim - 1] == vm ? 1 : 2) << shift);
}

static inline i32 access(i32 frame, i32 line) {
  i32 tag = frame + 1, number = (frame << 6) | line, set = number & l2SetMask;
  i32 previous = l2Tags[set];
  if (previous == tag) return IN_L2;
  l2Tags[set] = tag;
  i32 *begin = l2Tags + l2SetMask + 1 + set * (l2Ways - 1), *end = begin + l2Ways - 1;
  for (i32 *at = begin; at < end; at++) {
    i32 here = *at;
    *at = previous;
    if (here == tag) return IN_L2;
    previous = here;
  }
  i32 level = takeFromL3(tag, number) ? IN_L3 : IN_DRAM;
  if (previous != 0) intoL3(previous, ((previous - 1) << 6) | (set & 63));
  if (dataOn) noteLines(frame, line, previous, set & 63);
  return level;
}

static inline i32 readTableLine(i32 frame, i32 line) {
  i32 level = access(frame, line);
  if (level == IN_L2) {
    n.walk_l2_hits++;
    return l2Cycles;
  }
  if (level == IN_L3) {
    n.walk_l3_hits++;
    return l3Cycles;
  }
  n.walk_dram++;
  return dramCycles;
}

// Page walks.

static i32 walkFrame, walkSize, walkFlags, walkSlot, walkGuest, walkNested, nestedSize, nestedSlot;

// Page-walk cache and nested TLB: times of use instead of a list.
static i32 now, walkVersion;
static inline void replaceOldest(Table &t, i32 key, i32 frame) {
  walkVersion++;
  i32 oldest = t.first;
  for (i32 e = oldest + 1; e < oldest + t.count; e++) {
    if (pool[e].next < pool[oldest].next) oldest = e;
  }
  if (pool[oldest].tag != -1) unhash(t, oldest);
  hash(t, oldest, key, asid);
  pool[oldest].next = ++now;
  pool[oldest].frame = frame;
}

static inline i32 upperEntry(i32 slot, i32 frame, i64 &reads) {
  i32 hit = find(pwc, slot, asid);
  if (hit != 0) {
    pool[hit].next = ++now;
    n.pwc_hits++;
    return pwcCycles;
  }
  replaceOldest(pwc, slot, 0);
  reads++;
  return readTableLine(frame, (slot & 511) >> 3);
}

static void loadWalkCache(Table &t) {
  Section s = section();
  if (s.empty()) return;
  t.count = s[0];
  t.make(t.count, 8);
  t.first = poolUsed;
  for (i32 way = 0; way < t.count; way++) pool[poolUsed++] = {-1, -1, 0, 0, 0, 0, 0, 0, 0};
  for (size_t i = 2; i < s.size(); i += 6) {
    i32 e = t.first + (i32)(i - 2) / 6;
    hash(t, e, s[i], s[i + 1]);
    pool[e].next = ++now;
    pool[e].frame = s[i + 2];
  }
}

static inline i32 indexOf(i32 page, i32 level) { return ((u32)page >> (9 * level)) & 511; }

// Memos of paths through the three upper tables, by region, those through nested tables apart (src/machine/walk-memo.ts).
struct Memo {
  i32 region, root, version, node, frame, slot[3], entry[3], held[3], under[4];
};
static Memo memos[2][64];

// The path to the last table for a page, if one is remembered and still holds, or null.
static inline Memo *findMemo(Memo *of, i32 root, i32 page) {
  Memo &memo = of[((u32)page >> 9) & 63];
  if (memo.region != (i32)((u32)page >> 9) || memo.root != root) return nullptr;
  if (memo.version == walkVersion) return &memo;
  for (i32 i = 0; i < 3; i++) {
    const Entry &held = pool[memo.held[i]];
    if (entries[memo.slot[i]] != memo.entry[i] || held.key != memo.slot[i] || held.tag != asid) return nullptr;
  }
  if (memo.under[3] != 0) {
    for (i32 i = 0; i < 4; i++) {
      const Entry &held = pool[memo.under[i]];
      i32 node = i < 3 ? memo.slot[i] >> 9 : memo.node;
      if (held.key != frames[node] || held.tag != asid) return nullptr;
    }
    if (pool[memo.under[3]].frame != memo.frame) return nullptr;
  }
  memo.version = walkVersion;
  return &memo;
}

static inline void replayMemo(const Memo &memo, bool under) {
  for (i32 i = 0; i < 3; i++) {
    if (under) pool[memo.under[i]].next = ++now;
    pool[memo.held[i]].next = ++now;
  }
  n.pwc_hits += 3;
  if (!under) return;
  pool[memo.under[3]].next = ++now;
  n.nested_tlb_hits += 4;
}

static void rememberWalk(Memo *of, i32 root, i32 page, bool under) {
  Memo &memo = of[((u32)page >> 9) & 63];
  memo.region = (u32)page >> 9;
  memo.root = root;
  memo.version = walkVersion;
  i32 node = root;
  for (i32 i = 0; i < 4; i++) {
    memo.under[i] = under ? find(ntlb, frames[node], asid) : 0;
    if (i == 3) break;
    memo.slot[i] = (node << 9) | indexOf(page, 3 - i);
    memo.entry[i] = entries[memo.slot[i]];
    memo.held[i] = find(pwc, memo.slot[i], asid);
    node = (u32)memo.entry[i] >> PTE_SHIFT;
  }
  memo.node = node;
  memo.frame = under ? pool[memo.under[3]].frame : frames[node];
}

static i32 nestedWalk(i32 gfn) {
  i32 node = nestedRoot, level = 3;
  const Memo *known = findMemo(memos[1], nestedRoot, gfn);
  const i64 reads = n.walk_reads_nested;
  if (known) {
    replayMemo(*known, false);
    walkNested += 3 * pwcCycles;
    node = known->node;
    level = 0;
  }
  for (;; level--) {
    i32 slot = (node << 9) | indexOf(gfn, level), entry = entries[slot];
    if (!(entry & PRESENT)) fail("nested fault");
    if (level > 0 && !(entry & LARGE)) {
      walkNested += upperEntry(slot, frames[node], n.walk_reads_nested);
      node = (u32)entry >> PTE_SHIFT;
      continue;
    }
    if (level == 0 && !known && n.walk_reads_nested == reads) rememberWalk(memos[1], nestedRoot, gfn, false);
    n.walk_reads_nested++;
    walkNested += readTableLine(frames[node], (slot & 511) >> 3);
    nestedSize = level;
    nestedSlot = slot;
    return ((u32)entry >> PTE_SHIFT) + (gfn & ((1 << (9 * level)) - 1));
  }
}

static inline i32 tableFrame(i32 gfn) {
  i32 hit = find(ntlb, gfn, asid);
  if (hit != 0) {
    pool[hit].next = ++now;
    n.nested_tlb_hits++;
    walkNested += ntlbCycles;
    return pool[hit].frame;
  }
  n.nested_tlb_misses++;
  i32 frame = nestedWalk(gfn);
  replaceOldest(ntlb, gfn, frame);
  return frame;
}

static void walk(i32 vpn, bool write) {
  i32 node = root, level = 3;
  const Memo *known = findMemo(memos[0], root, vpn);
  const i64 reads = n.walk_reads_guest, misses = n.nested_tlb_misses;
  walkGuest = overheadCycles;
  walkNested = 0;
  if (known) {
    replayMemo(*known, nestedOn);
    walkGuest += 3 * pwcCycles;
    if (nestedOn) walkNested += 4 * ntlbCycles;
    node = known->node;
    level = 0;
  }
  for (;; level--) {
    i32 frame = known && nestedOn ? known->frame : nestedOn ? tableFrame(frames[node]) : frames[node] + frameBase;
    i32 slot = (node << 9) | indexOf(vpn, level), entry = entries[slot];
    if (!(entry & PRESENT)) fail("page fault");
    if (level > 0 && !(entry & LARGE)) {
      walkGuest += upperEntry(slot, frame, n.walk_reads_guest);
      node = (u32)entry >> PTE_SHIFT;
      continue;
    }
    if (level == 0 && !known && n.walk_reads_guest == reads && n.nested_tlb_misses == misses) {
      rememberWalk(memos[0], root, vpn, nestedOn);
    }
    n.walk_reads_guest++;
    walkGuest += readTableLine(frame, (slot & 511) >> 3);
    if (write && !(entry & WRITABLE)) fail("page fault");
    walkFlags = entry | ACCESSED | (write ? DIRTY : 0);
    if (walkFlags != entry) entries[slot] = walkFlags;
    walkSize = level;
    walkSlot = nestedOn ? slot : (mirrors[node] << 9) | (slot & 511);
    if (!nestedOn) {
      walkFrame = ((u32)entry >> PTE_SHIFT) + frameBase;
      return;
    }
    i32 hfn = nestedWalk(((u32)entry >> PTE_SHIFT) + (vpn & ((1 << (9 * level)) - 1)));
    if (level > nestedSize) {
      walkSize = nestedSize;
      walkSlot = nestedSlot;
    }
    walkFrame = hfn - (vpn & ((1 << (9 * walkSize)) - 1));
    return;
  }
}

// What follows a miss of the 4K look-up in the L1 TLB.

static void admit(i32 a, i32 e) {
  i32 victim = put(a, e);
  resident[a]++;
  if (victim == 0) return;
  Entry &gone = pool[victim];
  i32 size = gone.tag & 3, level = a < 3 ? 0 : 3;
  resident[level + size]--;
  gone.flags &= ~(a < 3 ? TLB_L1 : TLB_L2);
  // A live translation is lost; everything here belongs to one VM.
  if ((level == 3 || tlb[3 + size] == nullptr) && gone.seq == sequence) {
    loss[gone.slot] = gone.flags >> OWNER_SHIFT == vcpu ? -CAPACITY : -INTERFERENCE;
  }
  if (!(gone.flags & (TLB_L1 | TLB_L2))) destroy(victim);
}

static i32 findLarge(i32 level, i32 vpn, i32 bit) {
  for (i32 size = 1; size < 3; size++) {
    if (resident[level + size] == 0) continue;
    i32 e = find(translations, (u32)vpn >> (9 * size), (asid << 2) | size);
    if (e != 0 && pool[e].flags & bit) return e;
  }
  return 0;
}

// `held`: the 4K entry of the page, which is in the L2 only, or 0.
static i32 translate(i32 vpn, bool write, i32 held, i32 &time) {
  if (i32 e = findLarge(0, vpn, TLB_L1)) {
    touch(e, homeOf(*tlb[pool[e].tag & 3], pool[e].key));
    return e;
  }
  n.l1d_misses++;
  if (i32 e = held != 0 ? held : findLarge(3, vpn, TLB_L2)) {
    n.l2d_hits++;
    n.l2hit += l2HitCycles;
    time += l2HitCycles;
    i32 size = pool[e].tag & 3;
    const Array &second = *tlb[3 + size];
    toFront(rowOf(second, pool[e].key), second.ways, e);
    admit(size, e);
    return e;
  }
  n.l2d_misses++;
  walk(vpn, write);
  time += walkGuest + walkNested;
  i32 record = loss[walkSlot];
  if (record > 0 && record != sequence) fail("a flush");
  i32 cause = record < 0 ? -record : COLD;
  n.walks++;
  n.walksBy[cause]++;
  n.guestBy[cause] += walkGuest;
  n.nestedBy[cause] += walkNested;
  i32 size = walkSize;
  while (size > 0 && tlb[size] == nullptr) {
    size--;
    walkFrame += vpn & ((1 << (9 * (size + 1))) - 1) & ~((1 << (9 * size)) - 1);
  }
  loss[walkSlot] = sequence;
  i32 e = create((u32)vpn >> (9 * size), (asid << 2) | size);
  pool[e].frame = walkFrame;
  pool[e].flags = (walkFlags & 0x7f) | (vcpu << OWNER_SHIFT);
  pool[e].slot = walkSlot;
  pool[e].seq = sequence;
  if (tlb[3 + size]) admit(3 + size, e);
  admit(size, e);
  return e;
}

static inline void touchLines(i32 frame, i32 line, i32 lines, i32 &time) {
  n.data_lines += lines;
  for (i32 i = 0; i < lines; i++) {
    i32 level = access(frame, (line + i) & 63);
    if (level == IN_L2) continue;
    n.data_l2_misses++;
    (level == IN_L3 ? n.data_l3_hits : n.data_dram)++;
    i32 stall = ((level == IN_L3 ? l3Cycles : dramCycles) * exposedQ8) >> 8;
    n.stallBy[lineCause] += stall;
    time += stall;
  }
}

struct Item {
  i32 vpn, op, references, instructions;
};

static void run(const Item *items, i32 count) {
  const Array &l1 = *tlb[0];
  const i32 tag = asid << 2;
  i32 time = 0, slow = 0, references = 0, instructions = 0;
  for (const Item *item = items; item < items + count; item++) {
    const i32 vpn = item->vpn, op = item->op & 255;
    i32 e = find(translations, vpn, tag);
    if (op == STORE && e != 0 && (pool[e].flags & (WRITABLE | DIRTY)) != (WRITABLE | DIRTY)) fail("a store");
    if (e != 0 && pool[e].flags & TLB_L1) touch(e, homeOf(l1, vpn));
    else {
      i32 before = time;
      e = translate(vpn, op == STORE, e, time);
      slow += time - before;
    }
    references += item->references;
    instructions += item->instructions;
    carry += item->instructions * cpiQ8;
    time += carry >> 8;
    carry &= 255;
    if (dataOn) {
      i32 before = time, size = pool[e].tag & 3;
      i32 frame = pool[e].frame + (vpn & ((1 << (9 * size)) - 1));
      touchLines(frame, (item->op >> 8) & 63, (item->op >> 16) & 127, time);
      slow += time - before;
    }
  }
  n.visits += count;
  n.references += references;
  n.instructions += instructions;
  n.user += time - slow;
}

// The generator of visits.

static u32 s0, s1, s2, s3;
static inline u32 draw() {
  u32 x = s1 * 5, bits = ((x << 7) | (x >> 25)) * 9, t = s1 << 9;
  s2 ^= s0;
  s3 ^= s1;
  s1 ^= s2;
  s0 ^= s3;
  s2 ^= t;
  s3 = (s3 << 11) | (s3 >> 21);
  return bits;
}
static inline i32 below(i32 limit, u32 bits) { return (i32)(((uint64_t)bits * (u32)limit) >> 32); }

static Section regions, heads, sizesOf, table, lineTable;
static i32 position;

static void fill(Item *items, i32 count) {
  enum { KIND, START, PAGES, STEP, PHASE, LINE_TABLE, CURSOR, COUNT };
  for (Item *item = items; item < items + count; item++) {
    i32 head = heads[position], sizes = sizesOf[position];
    position = (position + 1) & (i32)(heads.size() - 1);
    i32 *region = &regions[((head >> 8) & 255) * 8];
    u32 bits = draw();
    i32 pages = region[PAGES], index;
    switch (region[KIND]) {
      case 0:
        index = below(pages, bits);
        break;
      case 1: {
        i32 coin = draw() >> 16;
        const i32 *column = &table[3 * below(pages, bits)];
        index = column[coin < column[0] ? 1 : 2];
        break;
      }
      case 2:
        index = region[CURSOR];
        region[CURSOR] = index + region[STEP] >= pages ? index + region[STEP] - pages : index + region[STEP];
        break;
      case 3:
        index = region[CURSOR];
        region[CURSOR] = table[index];
        break;
      default:
        if (region[COUNT] == 0) {
          region[CURSOR] = below(pages, bits);
          region[COUNT] = region[PHASE];
        }
        region[COUNT]--;
        index = region[CURSOR] + below(region[STEP], bits * GOLDEN);
        if (index >= pages) index -= pages;
    }
    i32 line = 0;
    if (dataOn) line = (i32)(((u32)index * GOLDEN) >> 26) + lineTable[bits & 1023];
    *item = {region[START] + index, (head & 0x17f00ff) | ((line & 63) << 8), sizes & 65535, sizes >> 16};
  }
}

static double cpuSeconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static void print(const char *name, i64 value) {
  if (value != 0) printf("%s %lld\n", name, (long long)value);
}
static void printBy(const char *name, const char *separator, const i64 *values) {
  static const char *const causes[] = {"cold",      "capacity", "interference", "world-switch",
                                       "asid-exhausted", "cr3", "invlpg", "shootdown", "migration"};
  for (i32 cause = 0; cause < 9; cause++) {
    if (values[cause] != 0) printf("%s%s%s %lld\n", name, separator, causes[cause], (long long)values[cause]);
  }
}

int main(int argc, char **argv) {
  file = argc > 1 ? fopen(argv[1], "rb") : nullptr;
  if (!file) fail("usage: twin WORLD");
  Section p = section();
  i32 k = 0;
  i64 visits = p[k++];
  for (i32 *to : {&dataOn, &nestedOn, &asid, &vcpu, &vm, &root, &nestedRoot, &frameBase, &cpiQ8, &carry,
                  &exposedQ8, &l2HitCycles, &overheadCycles, &pwcCycles, &ntlbCycles, &l2Ways, &l2SetMask,
                  &l2Cycles, &l3Ways, &l3SetMask, &l3Cycles, &dramCycles, &sequence, &position}) {
    *to = p[k++];
  }
  l2SetMask--;
  l3SetMask--;
  Section entriesOf = section(), framesOf = section(), mirrorsOf = section(), lossOf = section();
  entries = entriesOf.data();
  frames = framesOf.data();
  mirrors = mirrorsOf.data();
  loss = lossOf.data();
  loadTlbs();
  loadWalkCache(pwc);
  loadWalkCache(ntlb);
  Section l2Of = section(), l3Of = section(), states = section(), ownersOf = section();
  l2Tags = l2Of.data();
  l3Tags = l3Of.data();
  lineStates = states.data();
  owners = ownersOf.data();
  regions = section();
  heads = section();
  sizesOf = section();
  table = section();
  lineTable = section();
  Section random = section(), rest = section();
  s0 = random[0], s1 = random[1], s2 = random[2], s3 = random[3];

  double begin = cpuSeconds();
  const i64 first = (i64)rest.size() / 4 < visits ? (i64)rest.size() / 4 : visits;
  run((const Item *)rest.data(), (i32)first);
  static Item block[256];
  for (i64 left = visits - first; left > 0; left -= 256) {
    i32 count = left < 256 ? (i32)left : 256;
    fill(block, count);
    run(block, count);
  }
  printf("%.6f\n", cpuSeconds() - begin);

#define COUNT(name) print(#name, n.name)
  COUNT(visits);
  COUNT(references);
  COUNT(instructions);
  COUNT(l1d_misses);
  COUNT(l2d_hits);
  COUNT(l2d_misses);
  COUNT(walks);
  COUNT(walk_reads_guest);
  COUNT(walk_reads_nested);
  COUNT(pwc_hits);
  COUNT(nested_tlb_hits);
  COUNT(nested_tlb_misses);
  COUNT(walk_l2_hits);
  COUNT(walk_l3_hits);
  COUNT(walk_dram);
  COUNT(data_lines);
  COUNT(data_l2_misses);
  COUNT(data_l3_hits);
  COUNT(data_dram);
  print("guest.user", n.user);
  print("tlb.l2hit", n.l2hit);
  printBy("walks", "_", n.walksBy);
  printBy("walk.guest", ".", n.guestBy);
  printBy("walk.nested", ".", n.nestedBy);
  printBy("data.stall", ".", n.stallBy);
  return 0;
}
