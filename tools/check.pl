#!/usr/bin/perl
# Runs TAP tests and counts them. Usage: check.pl [--jobs N] LIST...
# A list has lines "name<TAB>command words"; the command prints TAP. What crashes, times out or prints no plan counts as
# failed. The last line is "N passed, N failed, N skipped"; the exit status is 0 only if nothing failed and something ran.
use strict;
use warnings;
use TAP::Harness;

my $jobs = 2;
if (@ARGV && $ARGV[0] eq '--jobs') { shift; $jobs = shift; }
my (@tests, %command);
for my $list (@ARGV) {
    open my $file, '<', $list or die "check: cannot read the list $list: $!\n";
    my ($preset) = $list =~ m{([^/]+)/[^/]+$};
    while (my $line = <$file>) {
        chomp $line;
        next if $line eq '';
        my ($name, @words) = split /\t/, $line;
        $name = "$preset: $name";
        $command{$name} = [@words];
        push @tests, $name;
    }
}

my $harness = TAP::Harness->new({
    jobs => $jobs,
    timer => 1,
    verbosity => $ENV{VERBOSE} ? 1 : 0,
    failures => 1,
    comments => 0,
    exec => sub { my ($self, $name) = @_; return ['timeout', '900', @{ $command{$name} }] },
});
my $steps = 0; # random steps that were compared with a model: kit_steps of tests/kit
$harness->callback(made_parser => sub {
    my ($parser) = @_;
    $parser->callback(comment => sub { $steps += $1 if $_[0]->comment =~ /^random steps: (\d+)$/ });
});
my $aggregate = $harness->runtests(@tests);

my $failed = 0;
for my $name (@tests) {
    my ($parser) = $aggregate->parsers($name);
    next unless $parser->has_problems;
    my $bad = $parser->failed;
    $failed += $bad > 0 ? $bad : 1;
    print "failed: $name", ($parser->exit ? " (exit status " . $parser->exit . ")" : ""), "\n";
    print "    $_\n" for $parser->parse_errors;
}
print "$steps random steps of collections against their models\n" if $steps;
my $skipped = $aggregate->skipped;
my $passed = $aggregate->passed - $skipped;
print "$passed passed, $failed failed, $skipped skipped\n";
exit($failed == 0 && $passed > 0 ? 0 : 1);
