/* string.c: what strings must refuse. See misuse_test.sh. */
#include <ka/string.h>

bool use(ka_string *string, ka_allocator *a);
bool use(ka_string *string, ka_allocator *a)
{
    *string = ka_string_in(a);
    if (!ka_string_append_text(string, "a") || !ka_string_append_format(string, "%d %s", 1, "b"))
        return false;
#if MISUSE == 1 /* the result of append ignored | warn_unused_result */
    ka_string_append_text(string, "a");
#elif MISUSE == 2 /* the result of a formatted append ignored | warn_unused_result */
    ka_string_append_format(string, "%d", 1);
#elif MISUSE == 3 /* an argument that does not fit its format | format */
    return ka_string_append_format(string, "%s", 1);
#elif MISUSE == 4 /* the result of take ignored | warn_unused_result */
    ka_string_take(string);
#elif MISUSE == 5 /* text where a view is asked | incompatible type */
    return ka_string_append(string, "a");
#elif MISUSE == 6 /* borrowed text changed | discards qualifiers|discards|drops const */
    char *text = ka_string_text(string);
    text[0] = 'b';
#elif MISUSE == 7 /* a string that was not cloned | warn_unused_result */
    ka_string other;
    ka_string_clone(&other, string);
#endif
    return true;
}
