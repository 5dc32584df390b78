# Hashes of arrays, substitutions, splits and joins, sorts.
use strict;
my ($rounds, $total, $x) = ($ARGV[0], 0, 1);
for my $r (1 .. $rounds) {
    my (%by_word, @lines);
    for my $i (1 .. 20000) {
        $x = $x * 75 % 1048583;
        push @lines, join(" ", map { "w" . ($x * $_ % 5003) } 1 .. 6);
    }
    for my $line (@lines) {
        (my $copy = $line) =~ s/w(\d)/x$1-$1/g;
        push @{ $by_word{$_} }, length $copy for split / /, $copy;
    }
    $total += @{ $by_word{$_} } * length $_ for sort { $a cmp $b } keys %by_word;
}
print "$total\n";
