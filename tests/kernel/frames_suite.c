/* frames_suite.c: the machine's frames. */
#include "kernel_suites.h"

#include "ports/bare/boot.h"
#include "ports/bare/frames.h"
#include "taken.h"

static size_t take_all(taken **head)
{
    size_t count = 0;
    for (*head = NULL;; count++) {
        bare_frame frame = bare_frame_take();
        if (frame.number == 0)
            return count;
        taken *t = bare_frame_memory(frame);
        *t = (taken){ *head, frame };
        *head = t;
    }
}

static bool outside(bare_frame frame, bare_range range)
{
    uint64_t at = frame.number << 12;
    return at + 4096 <= range.base || at >= range.base + range.size;
}

static void take_and_give(void)
{
    size_t before = bare_frames_free();
    bare_frame a = bare_frame_take(), b = bare_frame_take();
    KIT_CHECK(a.number != 0 && b.number != 0 && a.number != b.number);
    KIT_EXPECT(bare_frames_free() == before - 2);
    bare_frames_give(a, 1);
    bare_frames_give(b, 1);
    KIT_EXPECT(bare_frames_free() == before);
}

/* Every frame once, none of them low memory, the image or a module; and then no more. */
static void all_of_them(void)
{
    taken *head;
    size_t before = bare_frames_free(), bad = 0, count = take_all(&head);
    KIT_EXPECT(count == before && bare_frames_free() == 0);
    KIT_EXPECT(bare_frame_take().number == 0 && bare_frames_take(1).number == 0);
    for (taken *t = head; t != NULL; t = t->next) {
        bad += bare_frame_memory(t->frame) != t || t->frame.number < 256 || !outside(t->frame, bare_boot.image);
        for (size_t i = 0; i < bare_boot.modules.count; i++)
            bad += !outside(t->frame, bare_boot.modules.at[i]);
    }
    KIT_EXPECT(bad == 0);
    give_back(head);
    KIT_EXPECT(bare_frames_free() == before);
    kit_note("%zu frames", count);
}

static bool apart(bare_frame a, size_t a_count, bare_frame b, size_t b_count)
{
    return a.number + a_count <= b.number || b.number + b_count <= a.number;
}

static void runs(void)
{
    size_t before = bare_frames_free();
    bare_frame first = bare_frames_take(100), second = bare_frames_take(20), third = bare_frames_take(1000);
    KIT_CHECK(first.number != 0 && second.number != 0 && third.number != 0);
    KIT_EXPECT(apart(first, 100, second, 20) && apart(first, 100, third, 1000) && apart(second, 20, third, 1000));
    KIT_EXPECT(bare_frames_free() == before - 1120);
    bare_frames_give(second, 20);
    bare_frame larger = bare_frames_take(21);
    KIT_EXPECT(larger.number != 0 && apart(first, 100, larger, 21) && apart(third, 1000, larger, 21));
    bare_frames_give(first, 100);
    bare_frames_give(third, 1000);
    bare_frames_give(larger, 21);
    KIT_EXPECT(bare_frames_free() == before);
    KIT_EXPECT(bare_frames_take(0).number == 0 && bare_frames_take(before + 1).number == 0);
    KIT_EXPECT(bare_frames_free() == before);
}

/* Frames come back from the page tables and lists of other tests: what the engine knows is still right. */
static void sound(void)
{
    bare_frames_flush();
    KIT_CHECK_SOUND(ka_frames_check(&bare_frame_engine));
    ka_frames_stats stats = ka_frames_census(&bare_frame_engine);
    KIT_EXPECT(stats.free == bare_frames_free());
    kit_note("%llu of %llu free frames in whole areas", (unsigned long long)stats.whole,
             (unsigned long long)stats.free);
}

static const kit_case cases[] = {
    { "take and give", take_and_give },
    { "all of them", all_of_them },
    { "runs", runs },
    { "the engine is sound", sound },
};

const kit_suite frames_suite = { "frames", cases, KIT_COUNT(cases) };
